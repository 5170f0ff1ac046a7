"""Who holds a person or a file: datasets by their manifests, sources by their pages of names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from components.artifacts.dataset import SEALED
from components.artifacts.manifest import MANIFEST, ImageFate, read_manifest
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.tree import Tree
from components.data.exclusions import identity_digest
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.removal.exclusions import ExclusionKind
from pipelines.runs.removal.tombstones import document_of
from pipelines.stores.layout import SOURCES

INFO = "dataset.json"
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
    def of_file(cls, sha256: str, pixels: Iterable[str] = ()) -> DataSubject:
        """Return the file with these bytes, and all that shows these pixels."""
        return cls(None, files={sha256}, pixels=set(pixels))

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
        sealed: How many do in the sealed Dataset of the same ingest, as far as this one tells.
        untold: Whether it may hold a person, as it does not say whom its images show.
        cut: Whether its manifest says nothing at all: the gate cut it out of a sealed Dataset.
    """

    tree: str
    splits: set[str]
    images: int
    sealed: int = 0
    untold: bool = False
    cut: bool = False


def holders(cache: Cache, trees: Mapping[str, Tree], subject: DataSubject) -> list[Held]:
    """Return the Datasets that name the subject, and learn from them by what else it is known.

    Args:
        cache: The store.
        trees: Listings of the file trees in it.
        subject: Gets files, pixels, names and labels of every image that is found.

    Returns:
        Also those of which a person cannot be told, as they are of an earlier version, and those
        that the gate cut.

    Raises:
        UserError: A manifest cannot be read, so that nobody knows whom the Dataset holds.
    """
    manifests = {
        tree: _fates(cache, tree, listing)
        for tree, listing in trees.items()
        if {MANIFEST, INFO} <= {entry.path for entry in listing.entries}
    }
    before = -1
    while before != (before := _size(subject)):
        for fates in manifests.values():
            for fate in _of_subject(fates, subject):
                _learn(fate, subject)
    found: list[Held] = []
    for tree, fates in manifests.items():
        matched = _of_subject(fates, subject)
        own = set(_info(cache, tree).get("splits", {}))
        inside = [fate for fate in matched if not _is_elsewhere(fate, own)]
        sealed = [fate for fate in matched if fate.split in (SEALED, _PAIRS)]
        whole = any(fate.split is None for fate in inside)  # a file of many: in any split
        untold = bool(subject.identity) and not matched and any(map(_is_untold, fates))
        if not fates:
            found.append(Held(tree, own, 0, cut=True))
        elif matched or untold:
            splits = own if whole else {str(fate.split) for fate in inside}
            count = sum(fate.images for fate in inside)
            beside = sum(fate.images for fate in sealed) if SEALED not in own else 0
            found.append(Held(tree, splits, count, beside, untold))
    return found


def _is_elsewhere(fate: ImageFate, own: set[str]) -> bool:
    """Whether an image is not among those of the Dataset itself."""
    if fate.split == _PAIRS:  # kept beside the sealed split
        return SEALED not in own
    if fate.split is None:
        return fate.images == 1 or fate.status != "used"
    return fate.split not in own


def _is_untold(fate: ImageFate) -> bool:
    """Whether nobody knows whom an image shows, or many: an earlier version wrote the manifest."""
    return fate.label is None and fate.images > 1


def _size(subject: DataSubject) -> int:
    return sum(map(len, (subject.files, subject.pixels, subject.names, subject.labels)))


def _of_subject(fates: Sequence[ImageFate], subject: DataSubject) -> list[ImageFate]:
    """Return the images that show the subject, duplicates and what they are of too."""
    found = {
        fate.name: fate
        for fate in fates
        if fate.sha256 in subject.files
        or fate.pixels in subject.pixels
        or subject.is_named(fate.label, fate.name)
    }
    alike = {fate.duplicate_of for fate in found.values()} | set(found)
    for fate in fates:
        if fate.name in alike or fate.duplicate_of in alike - {None}:
            found.setdefault(fate.name, fate)
    return list(found.values())


def _learn(fate: ImageFate, subject: DataSubject) -> None:
    if fate.images == 1:
        subject.names.add(fate.name)
        if fate.name == fate.file:
            subject.files.add(fate.sha256)
    if fate.pixels:
        subject.pixels.add(fate.pixels)
    if fate.label and subject.is_named(fate.label, fate.name):
        subject.labels.add(fate.label)


def _fates(cache: Cache, tree: str, listing: Tree) -> list[ImageFate]:
    paths = {entry.path for entry in listing.entries}
    try:
        return list(
            read_manifest(lambda name: cache.read_file(tree, name) if name in paths else None)
        )
    except (CorruptionError, LookupError, ValueError, TypeError, AttributeError) as error:
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
    for key in cache.store.list(SOURCES):
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
