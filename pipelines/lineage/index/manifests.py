"""Manifests of datasets as rows: one for each image, and counts for files of records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.artifacts.manifest import MANIFEST, RECORDS, ImageFate, read_manifest
from pipelines.lineage.index.facts import digest_bytes, text

_SEALED = "sealed"


@dataclass(frozen=True)
class FateRow:
    """What became of one image.

    Attributes:
        name: Its file, or file, ``#`` and place for a record.
        sha: Of its file; None for a record, whose file ``FileRow`` tells of.
        pixels: Digest of what it shows; None where the manifest does not say it.
        label: Its class or identity; None where the manifest does not say it.
        split: Where it is used, or None.
        status: ``used``, ``quarantined``, ``duplicate`` or ``unused``.
        duplicate_of: Name of the image that stands for it.
        place: Its row among the images of its split, or None.
    """

    name: str
    sha: bytes | None
    pixels: bytes | None
    label: str | None
    split: str | None
    status: str
    duplicate_of: str | None
    place: int | None


@dataclass(frozen=True)
class FileRow:
    """How many records of a file became what."""

    name: str
    sha: bytes
    split: str
    status: str
    count: int


@dataclass
class ManifestRows:
    """All rows of a manifest.

    Attributes:
        fates: Of images.
        files: Of files of records.
        images: How many images, single ones and records, are in which split and status.
        pixels: Whether it says what images show; those of earlier versions do not.
    """

    fates: dict[str, FateRow] = field(default_factory=dict[str, FateRow])
    files: list[FileRow] = field(default_factory=list[FileRow])
    images: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    pixels: bool = True


def is_of_manifest(path: str) -> bool:
    """Whether a file of a Dataset is read for what became of its images."""
    return path == MANIFEST or path in RECORDS


def manifest_rows(files: Mapping[str, bytes]) -> ManifestRows:
    """Return the rows of a manifest.

    Args:
        files: By path ``manifest.jsonl``, and the files of ``records/`` where there are any.

    Raises:
        ValueError: It is no manifest.
        LookupError: The same.
        TypeError: The same.
    """
    rows = ManifestRows()
    for fate in read_manifest(files.get):
        # Manifests of earlier versions say neither; there a file of records may be one line.
        rows.pixels = rows.pixels and fate.size_bytes is not None
        if fate.images == 1:
            rows.fates[fate.name] = row = _row(fate)
            if fate.name == fate.file:  # records are counted by their file
                rows.images[row.split or "", row.status] += 1
    for line in files[MANIFEST].splitlines():
        value: Any = json.loads(line)
        if value.get("records") is not None:
            rows.files += _counts(value)
    for file in rows.files:
        if file.count:
            rows.images[file.split, file.status] += file.count
    return rows


def _row(fate: ImageFate) -> FateRow:
    of_records = fate.name != fate.file
    return FateRow(
        name=text(fate.name),
        sha=digest_bytes(fate.sha256) if fate.sha256 and not of_records else None,
        pixels=digest_bytes(fate.pixels) if fate.pixels else None,
        label=text(fate.label) if fate.label is not None else None,
        split=text(fate.split) if fate.split else None,
        status=text(fate.status),
        duplicate_of=text(fate.duplicate_of) if fate.duplicate_of else None,
        place=None if fate.index is None or fate.split == _SEALED else int(fate.index),
    )


def _counts(value: Mapping[str, Any]) -> Iterator[FileRow]:
    name, counts = text(value["name"]), value["records"]
    if not value["sha256"]:
        return
    sha = digest_bytes(value["sha256"])
    found = Counter({("used", text(split)): int(n) for split, n in counts["splits"].items()})
    for status in ("unused", "quarantined", "duplicate"):
        found[status, ""] += int(counts.get(status, 0))
    if not any(found.values()):
        found = Counter({(text(value["status"]), ""): 0})
    for (status, split), count in found.items():
        if count or len(found) == 1:
            yield FileRow(name, sha, split, status, count)
