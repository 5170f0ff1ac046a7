"""Unseen: which sealed images of a challenger neither its own data nor the champion's has shown.

Data grows and shrinks, and splits move with it: an image that is sealed today may have trained the
champion, or chosen it. Images are told by the bytes of their file and by their decoded pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from components.artifacts.dataset import OPEN_SPLITS, SEALED
from pipelines.releases.gate_finding import CannotDecideError
from pipelines.releases.published import PublishedRelease
from pipelines.runs.cache import Cache, CorruptionError

_PIXELS = 32  # bytes of a digest
_FATES = (*OPEN_SPLITS, SEALED)
"""What the codes 0 to 3 of ``records/fates.bin`` mean; higher ones are in no split."""


@dataclass(frozen=True)
class Unseen:
    """The sealed images that may judge.

    Attributes:
        rows: Their rows in the sealed split, ascending.
        left_out: How many others the split has.
    """

    rows: tuple[int, ...]
    left_out: int


@dataclass(frozen=True)
class _Image:
    """What a manifest says of one image.

    Attributes:
        sha256: Of its file.
        pixels: Digest of its pixels; None where the manifest is of an earlier version.
        split: Where it is; None where it is in none.
        record: Whether it is one of many in its file.
    """

    sha256: str
    pixels: str | None
    split: str | None
    record: bool


def unseen(cache: Cache, challenger: PublishedRelease, champion: PublishedRelease) -> Unseen:
    """Return which rows of the challenger's sealed split may judge.

    Raises:
        CannotDecideError: A manifest is not there, or does not tell images by their pixels.
    """
    files: set[str] = set()
    pixels: set[str] = set()
    sealed: list[_Image] = []
    for published in (challenger, champion):
        for image in _images(cache, published):
            if published is challenger and image.split == SEALED:
                sealed.append(image)
            elif image.split in OPEN_SPLITS:
                pixels.add(_pixels(image, published))
                if not image.record:
                    files.add(image.sha256)
    rows = tuple(
        row
        for row, image in enumerate(sealed)
        if _pixels(image, challenger) not in pixels and (image.record or image.sha256 not in files)
    )
    return Unseen(rows, len(sealed) - len(rows))


def _pixels(image: _Image, published: PublishedRelease) -> str:
    """Return the digest of an image's pixels.

    Raises:
        CannotDecideError: There is none.
    """
    if image.pixels is None:
        raise CannotDecideError(
            f"the manifest of {published} was written by an earlier version and tells images by "
            "their files alone, so nobody knows which sealed images it has seen; slimline run "
            "CONFIG with its data writes a new one"
        )
    return image.pixels


def _images(cache: Cache, published: PublishedRelease) -> Iterator[_Image]:
    """Yield the images of a run's data in the order of its splits.

    Raises:
        CannotDecideError: The manifest is missing or damaged.
    """
    dataset = published.output("ingest", "dataset")
    if dataset is None:
        raise CannotDecideError(
            f"the record of the run of {published} is gone or damaged, so nobody knows which "
            "images it has seen; slimline verify names what is damaged"
        )
    try:
        names = {entry.path for entry in cache.tree(dataset).entries}
        parts = {
            name: cache.read_file(dataset, f"records/{name}") if f"records/{name}" in names else b""
            for name in ("pixels.bin", "fates.bin")
        }
        lines = cache.read_file(dataset, "manifest.jsonl").decode().splitlines()
        yield from _expanded([json.loads(line) for line in lines], parts)
    except (CorruptionError, ValueError, LookupError, TypeError) as error:
        raise CannotDecideError(
            f"the manifest of the data of {published} is not in this store, or damaged ({error}); "
            "slimline sync brings those of a cluster, slimline verify names what is damaged"
        ) from error


def _expanded(lines: Iterable[Mapping[str, Any]], parts: Mapping[str, bytes]) -> Iterator[_Image]:
    """Yield images; each record of a file that holds many is one."""
    counted: set[str] = set()
    for line in lines:
        name, sha = cast("str", line["name"]), cast("str", line["sha256"])
        records = cast("Mapping[str, Any] | None", line.get("records"))
        if records is None:
            if name.rpartition("#")[0] not in counted:
                yield _Image(sha, line.get("pixels"), line["split"], record=False)
            continue
        counted.add(name)
        if "first" not in records:
            splits = cast("Mapping[str, int]", records.get("splits", {}))
            for split, count in splits.items():
                yield from [_Image(sha, None, split, record=True)] * count
            continue
        first, count = int(records["first"]), int(records["count"])
        for index in range(first, first + count):
            digest = parts["pixels.bin"][index * _PIXELS : (index + 1) * _PIXELS].hex()
            code = parts["fates.bin"][index]
            split = _FATES[code] if code < len(_FATES) else None
            yield _Image(sha, digest, split, record=True)
