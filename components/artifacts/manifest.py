"""The manifest of a Dataset: what became of every image that ingest found, and its digests.

A file that is one image has one line in ``manifest.jsonl``. A file of records has a line with
counts, and ``records/`` beside the manifest holds, in the order of the source, what became of each
record: ``pixels.bin`` (32 bytes a record: the sha256 of its shape and pixels after decoding and
before resizing; zeros where it was not decoded), ``fates.bin`` (one byte, a place in ``FATES``),
``labels.bin`` (an unsigned 32-bit number, little-endian) and ``labels.json``, the names that these
numbers index.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from components.contract.digests import canonical_json

DESCRIPTION: Final = "dataset.json"
MANIFEST: Final = "manifest.jsonl"
PIXELS: Final = "records/pixels.bin"
FATE_NUMBERS: Final = "records/fates.bin"
LABEL_NUMBERS: Final = "records/labels.bin"
LABELS: Final = "records/labels.json"
RECORDS: Final = (PIXELS, FATE_NUMBERS, LABEL_NUMBERS, LABELS)
"""Files of a Dataset that was made of files of records, beside its manifest."""

FATES: Final = (
    "train", "validation", "selection", "sealed", "unused", "quarantined", "duplicate", "excluded",
    "pairs",
)  # fmt: skip
"""What becomes of a record: the split that it is used in, or why it is in none."""

EXCLUDED: Final = "excluded: erased"
"""The reason by which an image is quarantined that must not be used any more."""

_NO_PIXELS = bytes(32)
_DIGEST_BYTES = 32
_AT_ONCE = 4096  # records: written one by one they take twice as long


@dataclass(frozen=True)
class ImageFate:
    """What became of one image.

    Attributes:
        name: Its file, or file, ``#`` and place for a record.
        file: The file that holds it.
        sha256: Of that file; empty where it could not be read.
        size_bytes: Length of that file; None where an earlier version wrote the manifest.
        label: Name of its class or identity; None as above.
        status: ``used``, ``unused``, ``quarantined`` or ``duplicate``.
        split: Where it is used.
        index: Its row in the images of its split; None for sealed images in the open manifest.
        pixels: sha256 of its shape and pixels after decoding; None where it was not decoded, or
            where an earlier version wrote the manifest.
        duplicate_of: Name of the image that shows the same and was kept.
        reason: Why it is quarantined or unused.
        images: How many images this stands for: more than one for a file of records of which
            nothing is known of each, as an earlier version wrote it.
    """

    name: str
    file: str
    sha256: str
    size_bytes: int | None
    label: str | None
    status: str
    split: str | None
    index: int | None
    pixels: str | None
    duplicate_of: str | None
    reason: str | None
    images: int = 1


class RecordFate(NamedTuple):
    """What ``records/`` says of one record.

    Attributes:
        pixels: sha256 of its shape and pixels, hexadecimal; empty where it was not decoded.
        fate: One of ``FATES``.
        label: Name of its class or identity.
    """

    pixels: str
    fate: str
    label: str


def write_records(folder: Path, records: Iterable[RecordFate]) -> None:
    """Write what became of each record, some at a time; equal records give equal bytes.

    Args:
        folder: Of the Dataset.
        records: In the order of the source.
    """
    (folder / PIXELS).parent.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, int] = {}
    fates = {fate: number for number, fate in enumerate(FATES)}
    with (
        (folder / PIXELS).open("wb") as pixels,
        (folder / FATE_NUMBERS).open("wb") as fate_numbers,
        (folder / LABEL_NUMBERS).open("wb") as label_numbers,
    ):
        left = iter(records)
        while some := list(islice(left, _AT_ONCE)):
            pixels.write(b"".join(bytes.fromhex(one.pixels) or _NO_PIXELS for one in some))
            fate_numbers.write(bytes(fates[one.fate] for one in some))
            places = [numbers.setdefault(one.label, len(numbers)) for one in some]
            label_numbers.write(struct.pack(f"<{len(places)}I", *places))
    (folder / LABELS).write_bytes(canonical_json(list(numbers)))


Reader = Callable[[str], bytes | None]
"""Gives the bytes of a file of the Dataset by its name, None where there is none."""


def read_manifest(source: Path | bytes | Reader) -> Iterator[ImageFate]:
    """Yield what became of every image, in the order of the manifest; records one by one.

    Args:
        source: Folder of a Dataset; the bytes of its manifest alone, in which records are only
            counted; or what gives files of a Dataset by name.

    Raises:
        ValueError: It is no manifest.
    """
    if isinstance(source, bytes):
        return _fates(source, None)
    read = source if callable(source) else _folder_reader(source)
    manifest = read(MANIFEST)
    if manifest is None:
        raise ValueError(f"it has no {MANIFEST}")
    return _fates(manifest, _RecordFiles.read(read))


def _folder_reader(folder: Path) -> Reader:
    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    return read


@dataclass(frozen=True)
class _RecordFiles:
    """What ``records/`` holds, and the row of each record in the images of its split."""

    pixels: bytes
    fates: bytes
    labels: bytes
    names: Sequence[str]
    rows: Sequence[int]

    @classmethod
    def read(cls, read: Reader) -> _RecordFiles | None:
        """Return what is there, None where an earlier version wrote it, or of single images.

        Raises:
            ValueError: The files do not go together.
        """
        found = [read(name) for name in RECORDS]
        if all(data is None for data in found):
            return None
        if any(data is None for data in found):
            missing = [name for name, data in zip(RECORDS, found, strict=True) if data is None]
            raise ValueError(f"it has no {' and no '.join(missing)}")
        pixels, fates, labels, names = cast("list[bytes]", found)
        count = len(fates)
        if (len(pixels), len(labels)) != (count * _DIGEST_BYTES, count * 4):
            raise ValueError(f"{PIXELS}, {FATE_NUMBERS} and {LABEL_NUMBERS} differ in records")
        if fates and max(fates) >= len(FATES):
            raise ValueError(f"{FATE_NUMBERS} has the number {max(fates)}")
        counts: Counter[int] = Counter()
        rows = array("q")
        for fate in fates:
            rows.append(counts[fate])
            counts[fate] += 1
        return cls(pixels, fates, labels, json.loads(names), rows)

    def fate(self, place: int, line: Mapping[str, Any], name: str) -> ImageFate:
        """Return what became of the record at a place, of the file that a line is of."""
        digest = self.pixels[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES]
        number = int.from_bytes(self.labels[place * 4 : (place + 1) * 4], "little")
        if place >= len(self.fates) or number >= len(self.names):
            raise ValueError(f"{name} is not in records/")
        fate = FATES[self.fates[place]]
        used = fate in ("train", "validation", "selection", "sealed", "pairs")
        status = "used" if used else "quarantined" if fate == "excluded" else fate
        return ImageFate(
            name=name,
            file=line["name"],
            sha256=line["sha256"],
            size_bytes=line.get("size_bytes"),
            label=self.names[number] or None,
            status=status,
            split=fate if used else None,
            index=self.rows[place] if used and fate != "sealed" else None,
            pixels=None if digest == _NO_PIXELS else digest.hex(),
            duplicate_of=None,
            reason=EXCLUDED if fate == "excluded" else None,
        )


def _fates(manifest: bytes, records: _RecordFiles | None) -> Iterator[ImageFate]:
    """Yield the images of a manifest; lines of records follow the line of their file."""
    pending: Mapping[str, Any] | None = None
    told: dict[str, Mapping[str, Any]] = {}
    for text in manifest.splitlines():
        line = cast("dict[str, Any]", json.loads(text))
        if pending is not None and line["name"].startswith(f"{pending['name']}#"):
            told[line["name"]] = line
            continue
        if pending is not None:
            yield from _expanded(pending, told, records)
        pending, told = None, {}
        if "records" in line:
            pending = line
        else:
            yield _single(line)
    if pending is not None:
        yield from _expanded(pending, told, records)


def _single(line: Mapping[str, Any], file: str | None = None) -> ImageFate:
    return ImageFate(
        name=line["name"],
        file=file or line["name"],
        sha256=line["sha256"],
        size_bytes=line.get("size_bytes"),
        label=line.get("label"),
        status=line["status"],
        split=line["split"],
        index=line["index"],
        pixels=line.get("pixels"),
        duplicate_of=line["duplicate_of"],
        reason=line["reason"],
    )


def _expanded(
    line: Mapping[str, Any], told: Mapping[str, Mapping[str, Any]], records: _RecordFiles | None
) -> Iterator[ImageFate]:
    """Yield the records of a file; where only their number is known, the rest as one."""
    counts = line["records"]
    if records is None or "first" not in counts:
        yield from (_single(one, line["name"]) for one in told.values())
        known = sum(counts.get(status, 0) for status in ("used", "unused"))
        if known:
            yield replace(_single(line), images=known)
        return
    for number in range(counts["count"]):
        name = f"{line['name']}#{number}"
        found = records.fate(counts["first"] + number, line, name)
        if more := told.get(name):
            found = replace(found, reason=more["reason"], duplicate_of=more["duplicate_of"])
        yield found
