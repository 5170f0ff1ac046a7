"""Unseen: which sealed images of a challenger neither its own data nor the champion's has shown.

Data grows and shrinks, and splits move with it: an image that is sealed today may have trained the
champion, or chosen it. Images are told by the bytes of their file and by their decoded pixels.
Where whole identities or groups went to the splits, a new image of a known one counts as seen.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np

from components.artifacts.dataset import OPEN_SPLITS, SEALED
from components.artifacts.grouping import FILE as GROUPS
from components.artifacts.manifest import ImageFate, read_manifest
from components.data.spelling import key_of
from pipelines.releases.gate_finding import CannotDecideError
from pipelines.releases.published import PublishedRelease
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.step_records import read_ingredients

_DECODING = ("channels", "maximum", "background")
"""Parameters of ingest that pixels depend on before they are brought to a size."""


@dataclass(frozen=True)
class Unseen:
    """The sealed images that may judge.

    Attributes:
        rows: Their rows in the sealed split, ascending.
        left_out: How many others the split has.
        labels: Of all images of the split, those that are left out included.
    """

    rows: tuple[int, ...]
    left_out: int
    labels: tuple[str, ...]


@dataclass
class _SeenImages:
    """What was shown outside of sealed."""

    files: set[str] = field(default_factory=set[str])
    pixels: set[str] = field(default_factory=set[str])
    units: set[str] = field(default_factory=set[str])

    def add(self, image: ImageFate, pixels: str) -> None:
        """Note that an image was shown."""
        self.pixels.add(pixels)
        if image.name == image.file:  # and no record, of which a file has many
            self.files.add(image.sha256)

    def has(self, image: ImageFate, pixels: str, unit: str | None) -> bool:
        """Whether an image was shown, or another one of what is kept together with it."""
        return (
            pixels in self.pixels
            or unit in self.units
            or (image.name == image.file and image.sha256 in self.files)
        )


def unseen(cache: Cache, challenger: PublishedRelease, champion: PublishedRelease) -> Unseen:
    """Return which rows of the challenger's sealed split may judge.

    Raises:
        CannotDecideError: A manifest is not there, or does not tell images by their pixels.
    """
    _check_decoding(cache, challenger, champion)
    split_by = _described(cache, challenger)["split_by"]
    seen, sealed = _SeenImages(), [one for one in _images(cache, challenger) if one.split == SEALED]
    for published in (challenger, champion):
        for image in _images(cache, published):
            if image.split and image.split != SEALED:
                seen.add(image, _pixels(image, published))
                if split_by == "identity":
                    seen.units.add(key_of(image.label or ""))
    units = _units(cache, challenger, champion, split_by, sealed, seen)
    rows = tuple(
        row
        for row, (image, unit) in enumerate(zip(sealed, units, strict=True))
        if not seen.has(image, _pixels(image, challenger), unit)
    )
    labels = tuple(image.label or "" for image in sealed)
    return Unseen(rows, len(sealed) - len(rows), labels)


def _units(
    cache: Cache,
    challenger: PublishedRelease,
    champion: PublishedRelease,
    split_by: str,
    sealed: Sequence[ImageFate],
    seen: _SeenImages,
) -> Sequence[str | None]:
    """Return what went to a split as a whole with each sealed image; note the groups seen.

    Raises:
        CannotDecideError: The groups cannot be read.
    """
    if split_by == "image":
        return [None] * len(sealed)
    if split_by == "identity":
        return [key_of(image.label or "") for image in sealed]
    for published in (challenger, champion):
        for split in OPEN_SPLITS:
            seen.units |= set(_groups(cache, published, "dataset", split))
    units = _groups(cache, challenger, "sealed", SEALED)
    if len(units) != len(sealed):
        raise CannotDecideError(
            f"which groups the sealed images of {challenger} are of is not in this store"
        )
    return units


def _check_decoding(cache: Cache, *both: PublishedRelease) -> None:
    """Refuse to tell images by pixels that were not made in the same way.

    Raises:
        CannotDecideError: They were not.
    """
    ways: list[Mapping[str, object]] = []
    for published in both:
        record = published.execution("ingest")
        ingredients = read_ingredients(cache.store, record) if record else None
        parameters = cast("Mapping[str, object]", (ingredients or {}).get("parameters", {}))
        ways.append({name: parameters.get(name) for name in _DECODING})
    if ways[0] != ways[1]:
        differing = ", ".join(name for name in _DECODING if ways[0][name] != ways[1][name])
        raise CannotDecideError(
            f"images were not decoded in the same way ({differing} of image: differs), so nobody "
            f"knows which of them {both[1]} has seen"
        )


def _described(cache: Cache, published: PublishedRelease, port: str = "dataset") -> dict[str, Any]:
    """Return what a dataset says of itself.

    Raises:
        CannotDecideError: It is missing or damaged.
    """
    tree = _dataset(published, port)
    try:
        described = cast("dict[str, Any]", json.loads(cache.read_file(tree, "dataset.json")))
        return {"groups": (), **described, "split_by": str(described["split_by"])}
    except (CorruptionError, ValueError, LookupError, TypeError) as error:
        raise _absent(published, error) from error


def _groups(cache: Cache, published: PublishedRelease, port: str, split: str) -> list[str]:
    """Return the group of every image of a split: its name.

    Raises:
        CannotDecideError: Nothing says it.
    """
    names = _described(cache, published, port)["groups"]
    tree = _dataset(published, port)
    try:
        if f"{split}/{GROUPS}" not in {entry.path for entry in cache.tree(tree).entries}:
            return []
        places = np.load(io.BytesIO(cache.read_file(tree, f"{split}/{GROUPS}")))
        return [str(names[place]) if place >= 0 else "" for place in places]
    except (CorruptionError, ValueError, LookupError) as error:
        raise _absent(published, error) from error


def _dataset(published: PublishedRelease, port: str) -> str:
    """Return the tree digest of what ingest made.

    Raises:
        CannotDecideError: No record says it.
    """
    tree = published.output("ingest", port)
    if tree is None:
        raise CannotDecideError(
            f"the record of the run of {published} is gone or damaged, so nobody knows which "
            "images it has seen; slimline verify names what is damaged"
        )
    return tree


def _absent(published: PublishedRelease, error: Exception) -> CannotDecideError:
    return CannotDecideError(
        f"the manifest of the data of {published} is not in this store, or damaged ({error}); "
        "slimline sync brings those of a cluster, slimline verify names what is damaged"
    )


def _pixels(image: ImageFate, published: PublishedRelease) -> str:
    """Return the digest of an image's pixels.

    Raises:
        CannotDecideError: There is none.
    """
    if image.pixels is None:
        raise _earlier(published)
    return image.pixels


def _earlier(published: PublishedRelease) -> CannotDecideError:
    return CannotDecideError(
        f"the manifest of {published} was written by an earlier version and tells images by "
        "their files alone, so nobody knows which sealed images it has seen; slimline run "
        "CONFIG with its data writes a new one"
    )


def _images(cache: Cache, published: PublishedRelease) -> Iterator[ImageFate]:
    """Yield the images of a run's data in the order of its splits.

    Raises:
        CannotDecideError: The manifest is missing, damaged, or does not tell records one by one.
    """
    dataset = _dataset(published, "dataset")
    try:
        names = {entry.path for entry in cache.tree(dataset).entries}
        read = partial(_file, cache, dataset, names)
        for image in read_manifest(read):
            if image.status == "used" and image.split is None:
                raise _earlier(published)
            yield image
    except (CorruptionError, ValueError, LookupError, TypeError) as error:
        raise _absent(published, error) from error


def _file(cache: Cache, dataset: str, names: set[str], name: str) -> bytes | None:
    return cache.read_file(dataset, name) if name in names else None
