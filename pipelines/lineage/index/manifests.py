"""Manifests of datasets as rows: one for each image, and counts for files of records."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.lineage.index.facts import DIGEST_BYTES, digest_bytes, text

MANIFEST: Final = "manifest.jsonl"
FOLDER: Final = "records/"
"""Where a Dataset keeps what became of single records."""

_PIXELS, _FATES = f"{FOLDER}pixels.bin", f"{FOLDER}fates.bin"
_LABELS, _SPELLINGS = f"{FOLDER}labels.bin", f"{FOLDER}labels.json"
_BECAME: Final[Mapping[int, tuple[str, str | None]]] = {
    0: ("used", "train"), 1: ("used", "validation"), 2: ("used", "selection"),
    3: ("used", "sealed"), 4: ("unused", None), 5: ("quarantined", None), 6: ("duplicate", None),
    7: ("quarantined", None), 8: ("used", "pairs"),
}  # fmt: skip
_NONE = bytes(DIGEST_BYTES)


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
    """

    name: str
    sha: bytes | None
    pixels: bytes | None
    label: str | None
    split: str | None
    status: str
    duplicate_of: str | None


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
        pixels: Whether it says what images show; those of earlier versions do not.
    """

    fates: dict[str, FateRow] = field(default_factory=dict[str, FateRow])
    files: list[FileRow] = field(default_factory=list[FileRow])
    pixels: bool = True


def is_of_manifest(path: str) -> bool:
    """Whether a file of a Dataset is read for what became of its images."""
    return path == MANIFEST or path.startswith(FOLDER)


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
    records = _Records.of(files)
    for line in files[MANIFEST].splitlines():
        value: Any = json.loads(line)
        if value.get("records") is None:
            row = _fate(value)
            if row.pixels is None and row.status in ("used", "duplicate", "unused"):
                rows.pixels = rows.pixels and "pixels" in value
            before = rows.fates.get(row.name)
            rows.fates[row.name] = row if before is None else _merged(row, before)
            continue
        rows.files += _counts(value)
        if records and "first" in value["records"]:
            for row in records.rows(value["name"], value["records"]):
                rows.fates[row.name] = row
        elif any(value["records"].get(status) for status in ("used", "unused", "duplicate")):
            rows.pixels = False
    return rows


def _fate(value: Mapping[str, Any]) -> FateRow:
    name, duplicate_of = text(value["name"]), value.get("duplicate_of")
    is_record = "#" in name and name.rpartition("#")[2].isdecimal()
    return FateRow(
        name=name,
        sha=None if is_record or not value["sha256"] else digest_bytes(value["sha256"]),
        pixels=digest_bytes(value["pixels"]) if value.get("pixels") else None,
        label=text(value["label"]) if value.get("label") is not None else None,
        split=text(value["split"]) if value.get("split") else None,
        status=text(value["status"]),
        duplicate_of=text(duplicate_of) if duplicate_of else None,
    )


def _merged(line: FateRow, record: FateRow) -> FateRow:
    """Return what a line says of a record, with what ``records/`` alone says."""
    return FateRow(
        line.name, None, line.pixels or record.pixels, line.label or record.label, line.split,
        line.status, line.duplicate_of,
    )  # fmt: skip


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


@dataclass(frozen=True)
class _Records:
    """What became of all records of a Dataset, in order of its files."""

    pixels: bytes
    fates: bytes
    labels: array[int]
    spellings: list[str]

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> _Records | None:
        if _PIXELS not in files:
            return None
        labels = array("I", files[_LABELS])
        if labels.itemsize != 4:
            raise ValueError("labels.bin cannot be read on this machine")
        spellings = [text(label) for label in json.loads(files[_SPELLINGS])]
        found = cls(files[_PIXELS], files[_FATES], labels, spellings)
        if not len(found.pixels) == DIGEST_BYTES * len(found.fates) == DIGEST_BYTES * len(labels):
            raise ValueError("the files of records/ differ in length")
        return found

    def rows(self, file: str, counts: Mapping[str, Any]) -> Iterator[FateRow]:
        first, count = int(counts["first"]), int(counts["count"])
        if not 0 <= first <= first + count <= len(self.fates):
            raise ValueError("a file has records that are not there")
        for n in range(count):
            at = first + n
            status, split = _BECAME[self.fates[at]]
            pixels = self.pixels[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
            yield FateRow(
                f"{file}#{n}", None, None if pixels == _NONE else pixels,
                self.spellings[self.labels[at]], split, status, None,
            )  # fmt: skip
