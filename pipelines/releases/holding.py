"""Who holds a person or a file: datasets by their manifests, sources by their pages of names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.tree import Tree
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.exclusions import ExclusionKind, identity_digest
from pipelines.runs.tombstones import document_of

MANIFEST, INFO = "manifest.jsonl", "dataset.json"
_SOURCES = "sources/"
_PAIRS = "pairs"
"""The split of images that only listed pairs use."""


@dataclass
class DataSubject:
    """Whom or what to erase, and by what it is known so far.

    Attributes:
        identity: Digest of the person's name in whichever spelling; None of a file.
        files: sha256 of files that hold nothing else: images, one a file.
        pixels: Digests of the pixels of its images.
        names: Names of these files and records, as manifests have them.
        labels: The person's name, in every spelling that was met.
    """

    identity: str | None
    files: set[str] = field(default_factory=set[str])
    pixels: set[str] = field(default_factory=set[str])
    names: set[str] = field(default_factory=set[str])
    labels: set[str] = field(default_factory=set[str])

    @classmethod
    def of_identity(cls, name: str) -> DataSubject:
        """Return the person of this name."""
        return cls(identity_digest(name), labels={name})

    @classmethod
    def of_file(cls, sha256: str) -> DataSubject:
        """Return the file with these bytes."""
        return cls(None, files={sha256})

    @property
    def excluded(self) -> dict[str, ExclusionKind]:
        """By digest the kind of what no dataset may hold any more."""
        found: dict[str, ExclusionKind] = dict.fromkeys(sorted(self.files), "file")
        found |= dict.fromkeys(sorted(self.pixels), "pixels")
        if self.identity is not None:
            found[self.identity] = "identity"
        return found

    def is_named(self, label: str | None, name: str) -> bool:
        """Whether an image is the person's by its label or, where none is told, by its folders."""
        if self.identity is None:
            return False
        if label is not None:
            return self.is_label(label)
        folders = name.split("/")[:-1]
        runs = (folders[i:j] for i in range(len(folders)) for j in range(i + 1, len(folders) + 1))
        return any(self.is_label("/".join(run)) for run in runs)

    def is_label(self, text: str) -> bool:
        """Whether a text is the person's name."""
        return self.identity is not None and _identity(text) == self.identity


_identity = lru_cache(maxsize=100_000)(identity_digest)


@dataclass
class Held:
    """A Dataset that names the subject.

    Attributes:
        tree: Its digest.
        splits: Splits of its own whose images show it.
        images: How many images in it do.
    """

    tree: str
    splits: set[str]
    images: int


def holders(cache: Cache, trees: Mapping[str, Tree], subject: DataSubject) -> list[Held]:
    """Return the Datasets that name the subject, and learn from them by what else it is known.

    Args:
        cache: The store.
        trees: Listings of the file trees in it.
        subject: Gets files, pixels, names and labels of every image that is found.

    Raises:
        UserError: A manifest cannot be read, so that nobody knows whom the Dataset holds.
    """
    manifests = {
        tree: _lines(cache, tree)
        for tree, listing in trees.items()
        if {MANIFEST, INFO} <= {entry.path for entry in listing.entries}
    }
    before = -1
    while before != (before := _size(subject)):
        for lines in manifests.values():
            for line in _of_subject(lines, subject):
                _learn(line, subject)
    found: list[Held] = []
    for tree, lines in manifests.items():
        matched = _of_subject(lines, subject)
        if not matched:
            continue
        own = set(_info(cache, tree).get("splits", {}))
        if any(line.get("records") for line in matched):  # a whole file of many
            found.append(Held(tree, own, sum(_records_used(line) for line in matched)))
        else:
            splits = [str(line["split"]) for line in matched if line.get("split") in own | {_PAIRS}]
            found.append(Held(tree, set(splits), len(splits)))
    return found


def _size(subject: DataSubject) -> int:
    return sum(map(len, (subject.files, subject.pixels, subject.names, subject.labels)))


def _records_used(line: Mapping[str, Any]) -> int:
    records = cast("Mapping[str, Any]", line.get("records") or {})
    return int(records.get("used", 0))


def _of_subject(lines: list[dict[str, Any]], subject: DataSubject) -> list[dict[str, Any]]:
    """Return the lines of a manifest that show the subject, duplicates and what they are of too."""
    found = {
        str(line["name"]): line
        for line in lines
        if line["sha256"] in subject.files
        or line.get("pixels") in subject.pixels
        or subject.is_named(line.get("label"), str(line["name"]))
    }
    alike = {str(line["duplicate_of"]) for line in found.values() if line.get("duplicate_of")}
    for line in lines:
        if line["name"] in alike or line.get("duplicate_of") in {*found, *alike}:
            found.setdefault(str(line["name"]), line)
    return list(found.values())


def _learn(line: Mapping[str, Any], subject: DataSubject) -> None:
    name = str(line["name"])
    subject.names.add(name)
    if not _is_record(name) and not line.get("records"):
        subject.files.add(str(line["sha256"]))
    if pixels := line.get("pixels"):
        subject.pixels.add(str(pixels))
    label = line.get("label")
    if label and subject.is_named(label, name):
        subject.labels.add(str(label))


def _is_record(name: str) -> bool:
    """Whether a name is that of one image of a file of many."""
    _, mark, place = name.rpartition("#")
    return bool(mark) and place.isdecimal()


def _lines(cache: Cache, tree: str) -> list[dict[str, Any]]:
    try:
        text = cache.read_file(tree, MANIFEST)
        return [line for line in map(json.loads, text.splitlines()) if line.get("name")]
    except (CorruptionError, KeyError, ValueError, AttributeError) as error:
        raise _unreadable(f"the manifest of the dataset {tree}: {error}") from error


def _info(cache: Cache, tree: str) -> Mapping[str, Any]:
    try:
        return json.loads(cache.read_file(tree, INFO))
    except (CorruptionError, KeyError, ValueError) as error:
        raise _unreadable(f"the description of the dataset {tree}: {error}") from error


def _unreadable(what: str) -> UserError:
    return UserError(
        f"{what}; nobody knows whom it holds, so nothing is erased",
        "bring it back from a copy of the store; or remove the dataset's folder listing with its "
        "files by hand, and run slimline erase again",
    )


def pages(cache: Cache, subject: DataSubject) -> dict[str, bytes]:
    """Return the pages of names that name the subject, by sha256, each without these names."""
    found: dict[str, bytes] = {}
    for key in cache.store.list(_SOURCES):
        for page in json.loads(cache.store.get(key))["pages"]:
            document = document_of(cache.store, page)
            if document is None:
                continue
            rows = json.loads(document[1])
            kept = [row for row in rows if not _names(row, subject)]
            if len(kept) < len(rows):
                found[document[0]] = canonical_json(kept)
    return found


def _names(row: Iterable[Any], subject: DataSubject) -> bool:
    name, _, sha256, link, *_ = row
    return (
        sha256 in subject.files
        or subject.is_named(None, str(name))
        or (bool(link) and subject.is_named(None, str(link)))
    )
