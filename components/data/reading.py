"""Reading: every image of a source read, checked, decoded and kept in the size of the model.

Only names and digests stay in memory, less than a kilobyte an image; the resized images wait in a
temporary file until it is known where they belong.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.artifacts.pair_list import PairList
from components.contract.errors import UserError
from components.contract.progress import tell
from components.contract.source import Format, Source, SourceFile
from components.data.curation import PAIRS
from components.data.image_list import NamedImage, named_images
from components.data.images import (
    BadImage,
    decode,
    from_array,
    max_bytes,
    pixel_digest,
)
from components.data.images_found import SourceImage
from components.data.manifest import CuratedSource
from components.data.near_duplicates import SIDE, copy_of, near_pairs
from components.data.pairs_file import ListedPairs
from components.data.placing import FolderLayout, layout_of
from components.data.readers import records_of
from components.data.record import Record, RecordFormat
from components.data.resizing import framed
from components.data.settings import Groups, Labels, TargetFormat

_AHEAD = 2  # groups of images in work or waiting, per thread
_AT_ONCE = 8  # images of a group: handing each over by itself takes as long as decoding it
_CALLED: Mapping[Format, str] = {
    "folder": "a folder of images",
    "npz": "an .npz file",
    "idx": "a folder of idx files",
    "csv": "a csv file of pixels",
    "list": "a list of images",
}
_DARK = 64  # brightest pixel of a sound source is above, unless its scale was misunderstood

Given = TypeVar("Given")
Made = TypeVar("Made")


class Spool:
    """Images of one size in a temporary file, which vanishes with the process."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as its arrays are read
        self._image_bytes = int(np.prod(shape))
        self._count = 0

    def append(self, image: NDArray[np.uint8]) -> int:
        """Keep an image and return its place."""
        assert image.shape == self.shape, (image.shape, self.shape)
        self._file.write(image.tobytes())
        self._count += 1
        return self._count - 1

    def mapped(self) -> NDArray[np.uint8]:
        """Return all images as one array that stays in the file: count x shape."""
        self._file.flush()
        shape = (self._count, *self.shape)
        return (
            np.memmap(self._file, np.uint8, "r", shape=shape)
            if all(shape)
            else np.zeros(shape, np.uint8)
        )

    def read(self, place: int) -> bytes:
        """Return the bytes of the image at a place."""
        self._file.flush()
        return os.pread(self._file.fileno(), self._image_bytes, place * self._image_bytes)


@dataclass(frozen=True)
class SpoolRows:
    """Chosen images of a spool, read a slice at a time."""

    spool: Spool
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]:
        places = self.places[rows]
        data = b"".join(self.spool.read(place) for place in places)
        return np.frombuffer(data, np.uint8).reshape((len(places), *self.spool.shape))


@dataclass(frozen=True)
class SourceImages:
    """All that was found in a source.

    Attributes:
        images: Every image, sound or not, in order of the source.
        places: Where in the spool each is; -1 for those that cannot be used.
        spool: The resized images.
        copies: Grey copies of them to find near-duplicates by, at the same places.
        sizes: How many sound images had which height and width.
        brightest: The largest pixel of all, 0 to 255.
    """

    images: list[SourceImage]
    places: Sequence[int]
    spool: Spool
    copies: Spool
    sizes: Counter[tuple[int, int]]
    brightest: int

    def near_pairs(self) -> list[tuple[int, int]]:
        """Return the places in ``images`` of different ones that show almost the same."""
        firsts: dict[str, int] = {}
        for index, place in enumerate(self.places):
            if place >= 0:
                firsts.setdefault(self.images[index].digest, index)
        places = np.array([self.places[index] for index in firsts.values()], np.int64)
        indices = list(firsts.values())
        pairs = near_pairs(self.copies.mapped()[..., 0], places)
        return [(indices[one], indices[other]) for one, other in pairs.tolist()]

    def check_brightness(self, maximum: int) -> None:
        """Refuse images that a wrong ``maximum`` made nearly black, which nothing else notices.

        Raises:
            UserError: Names the value that the files seem to have.
        """
        if self.brightest < _DARK:
            raise UserError(
                f"all images are nearly black: with maximum {maximum} the brightest pixel is "
                f"{self.brightest} of 255",
                "set it to the largest value in the files: image: {maximum: "
                f"{max(1, round(self.brightest * maximum / 255))}}} or about that",
            )

    def paired(self, listed: ListedPairs, curated: CuratedSource) -> PairList:
        """Return listed pairs with their images; those of no split come first, as in the manifest.

        Args:
            listed: The pairs.
            curated: The source after curation.
        """
        order = sorted(listed.images, key=lambda place: curated.results[place].split != PAIRS)
        return listed.with_images(
            order, SpoolRows(self.spool, [self.places[place] for place in order])
        )

    def splits(
        self, curated: CuratedSource, classes: Sequence[str]
    ) -> dict[str, tuple[SpoolRows, NDArray[np.int32]]]:
        """Return images and labels of every split, in order of the source."""
        places: dict[str, array[int]] = defaultdict(lambda: array("q"))
        labels: dict[str, array[int]] = defaultdict(lambda: array("l"))
        numbers = {name: number for number, name in enumerate(classes)}
        for (image, result), place in zip(curated.pairs(), self.places, strict=True):
            if result.split:
                places[result.split].append(place)
                labels[result.split].append(numbers[image.label])
        return {
            split: (SpoolRows(self.spool, places[split]), np.array(labels[split], np.int32))
            for split in places
        }


@dataclass(frozen=True)
class _Read:
    """One image after decoding; without pixels it cannot be used."""

    image: SourceImage
    pixels: NDArray[np.uint8] | None = None
    copy: NDArray[np.uint8] | None = None
    size: tuple[int, int] = (0, 0)
    brightest: int = 0


def read_source(
    source: Source,
    target: TargetFormat,
    threads: int,
    labels: Labels = "folder",
    label_column: Literal["first", "last"] | None = None,
    groups: Groups = "given",
) -> SourceImages:
    """Read every image of a source.

    Args:
        source: Any format but ``model``.
        target: What images are turned into.
        threads: How many are decoded at once; the result does not depend on it.
        labels: What of the path of an image in a folder is its label.
        label_column: Where a csv of pixels without a header has its labels.
        groups: Whether images in a folder lie in one of their group.

    Raises:
        UserError: A file changed since it was listed, or a file of records is damaged.
    """
    _check_meant(source, labels, label_column)
    if source.format == "folder":
        layout = layout_of((file.name for file in source.files), labels, groups)
        read = _in_order(
            lambda file: _read_file(source, file, target, layout), source.files, threads
        )
    elif source.format == "list":
        read = _in_order(
            lambda item: _read_named(source, item, target), named_images(source), threads
        )
    else:
        form = RecordFormat(target.height, target.width, target.max_pixels, label_column)
        records = records_of(source, form)
        # Numbers need no decoding: handing them to a thread costs more than it saves.
        read = (_read_record(record, target) for record in records)
    total = len(source.files) if source.format == "folder" else None
    spool = Spool((target.height, target.width, target.channels))
    copies = Spool((SIDE, SIDE, 1))
    images: list[SourceImage] = []
    places = array("q")
    sizes: Counter[tuple[int, int]] = Counter()
    brightest = 0
    for item in read:
        images.append(item.image)
        places.append(-1 if item.pixels is None else spool.append(item.pixels))
        if item.pixels is not None and item.copy is not None:
            copies.append(item.copy)
            sizes[item.size] += 1
            brightest = max(brightest, item.brightest)
        tell(images=len(images), total=total)
    return SourceImages(images, places, spool, copies, sizes, brightest)


def _check_meant(source: Source, labels: Labels, label_column: str | None) -> None:
    """Refuse what is said of the labels where it would change nothing."""
    said: list[tuple[str, str]] = []
    if labels != "folder" and source.format != "folder":
        said.append((f"labels: {labels}", "labels of images in a folder"))
    if label_column is not None and source.format != "csv":
        said.append((f"label_column: {label_column}", "the labels of a csv file of pixels"))
    for key, meant in said:
        raise UserError(
            f"split: {{{key}}} says where {meant} are, and the data is {_CALLED[source.format]}, "
            "which says it itself",
            f"leave out {key.partition(':')[0]} under split:",
        )


def _read_file(
    source: Source, file: SourceFile, target: TargetFormat, layout: FolderLayout
) -> _Read:
    place = layout.place(file.name)
    found = SourceImage(file.name, file.name, place.label, "", split=place.split, group=place.group)
    if fault := _fault_of(file, place.fault):
        return _Read(replace(found, fault=fault))
    try:
        pixels = _decoded(source, file, target)
    except BadImage as error:
        return _Read(replace(found, fault=str(error)))
    return _sound(found, pixels, target)


def _fault_of(file: SourceFile, misplaced: str | None) -> str:
    """Say why a file is none of the images, before it is opened; nothing when it may be one."""
    if file.fault:
        return file.fault
    if file.link:
        return f"link: leads to {file.link}, which counts once, by that name"
    if not misplaced:
        return ""
    table = file.name.lower().endswith((".csv", ".csv.gz"))
    advice = "; if it lists the images, give this file as the data" if table else ""
    return f"layout: {misplaced}{advice}"


def _decoded(source: Source, file: SourceFile, target: TargetFormat) -> NDArray[np.uint8]:
    if file.size_bytes > max_bytes(target.max_pixels):
        raise BadImage("too-large", f"{file.size_bytes} bytes are more than any image has here")
    return decode(
        source.read(file),
        channels=target.channels,
        maximum=target.maximum,
        max_pixels=target.max_pixels,
        background=target.background_rgb,
    )


def _read_named(source: Source, named: NamedImage, target: TargetFormat) -> _Read:
    """Read the image that a row of a list names."""
    row = named.row
    file = source.index if named.name != getattr(named.file, "name", None) else named.name
    image = SourceImage(
        named.name, file, row.label, "", named.fault, split=row.split, group=row.group
    )
    if named.file is None or named.fault:
        return _Read(image)
    try:
        pixels = _decoded(source, named.file, target)
    except BadImage as error:
        return _Read(replace(image, fault=str(error)))
    return _sound(image, pixels, target)


def _read_record(record: Record, target: TargetFormat) -> _Read:
    found = SourceImage(f"{record.file}#{record.index}", record.file, record.label, "")
    try:
        if isinstance(record.pixels, BadImage):
            raise record.pixels
        pixels = from_array(record.pixels, channels=target.channels, maximum=target.maximum)
    except BadImage as error:
        return _Read(replace(found, fault=str(error)))
    return _sound(found, pixels, target)


def _sound(found: SourceImage, pixels: NDArray[np.uint8], target: TargetFormat) -> _Read:
    try:
        small = framed(pixels, target.height, target.width, target)
    except BadImage as error:
        return _Read(replace(found, fault=str(error)))
    # The digest is of the whole image: what only a part has in common is not the same.
    found = replace(found, digest=pixel_digest(pixels))
    return _Read(found, small, copy_of(pixels), pixels.shape[:2], int(pixels.max()))


def _in_order(
    work: Callable[[Given], Made], items: Iterable[Given], threads: int
) -> Iterator[Made]:
    """Apply ``work`` on several threads, few items ahead, and yield the results in order."""

    def all_of(some: Sequence[Given]) -> list[Made]:
        return [work(item) for item in some]

    remaining = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[Made]]] = deque()
        while some := list(islice(remaining, _AT_ONCE)):
            waiting.append(pool.submit(all_of, some))
            if len(waiting) > _AHEAD * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
