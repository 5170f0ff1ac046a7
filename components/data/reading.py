"""Reading: every image of a source read, checked, decoded and kept in the size of the model.

Only names and digests stay in memory, less than a kilobyte an image; the resized images wait in a
temporary file until it is known where they belong.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components.contract.errors import UserError
from components.contract.progress import tell
from components.contract.source import Format, Source, SourceFile
from components.data.exclusions import excluded_places, marked
from components.data.image_list import NamedImage, is_table, named_images
from components.data.images import (
    BadImage,
    Decoded,
    decode_image,
    from_array,
    max_bytes,
    pillow_image,
    pixel_digest,
)
from components.data.images_found import SourceImage
from components.data.layouts import check_layout
from components.data.near_duplicates import SIDE, copy_of
from components.data.placing import FolderLayout, layout_of
from components.data.readers import records_of
from components.data.record import Record, RecordFormat
from components.data.resizing import framed
from components.data.settings import Groups, Labels, TargetFormat
from components.data.source_images import DARK, SourceImages
from components.data.spool import Spool
from components.data.workers import in_order

_CALLED: Mapping[Format, str] = {
    "folder": "a folder of images",
    "npz": "an .npz file",
    "idx": "a folder of idx files",
    "csv": "a csv file of pixels",
    "list": "a list of images",
}


@dataclass(frozen=True)
class _Read:
    """One image after decoding; without pixels, or without a size once kept, it is not used."""

    image: SourceImage
    pixels: NDArray[np.uint8] | None = None
    copy: NDArray[np.uint8] | None = None
    size: tuple[int, int] | None = None
    brightest: int = 0


@dataclass(frozen=True)
class _Keeping:
    """Keeps the pixels of what was read, in the process that read it.

    Attributes:
        spool: For the images.
        copies: For their grey copies.
    """

    spool: Spool
    copies: Spool

    def kept(self, place: int, read: _Read) -> _Read:
        """Keep what was read at a place of its own and return the rest of it."""
        if read.pixels is None or read.copy is None:
            return read
        self.spool.put(place, read.pixels)
        self.copies.put(place, read.copy)
        return _Read(read.image, size=read.size, brightest=read.brightest)


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
        labels: What of the path of an image in a folder is its label; ``path`` also takes what
            stands before the first ``/`` of a label in an ``.npz`` file for its group.
        label_column: Where a csv of pixels without a header has its labels.
        groups: Whether images in a folder lie in one of their group.

    Raises:
        UserError: A file changed since it was listed, a file of records is damaged, or what was
            said of labels does not fit them.
    """
    _check_meant(source, labels, label_column)
    spool = Spool((target.height, target.width, target.channels))
    keeping = _Keeping(spool, Spool((SIDE, SIDE, 1)))
    if source.format == "folder":
        layout = layout_of(source.names, labels, groups)
        check_layout(source.names, layout)
        read = in_order(
            lambda place, file: keeping.kept(place, _read_file(source, file, target, layout)),
            lambda: source.files,
            threads,
            lambda file: file.name,
        )
    elif source.format == "list":
        read = in_order(
            lambda place, item: keeping.kept(place, _read_named(source, item, target)),
            lambda: named_images(source),
            threads,
            lambda item: item.name,
        )
    else:
        form = RecordFormat(target.height, target.width, target.max_pixels, label_column)
        records = records_of(source, form)
        # Numbers need no decoding: handing them to a process costs more than it saves.
        read = (
            keeping.kept(place, _read_record(record, target, labels))
            for place, record in enumerate(records)
        )
    total = len(source.files) if source.format == "folder" else None
    images: list[SourceImage] = []
    places = array("q")
    sizes: Counter[tuple[int, int]] = Counter()
    brightest = 0
    for item in read:
        places.append(-1 if item.size is None else len(images))
        images.append(item.image)
        if item.size is not None:
            sizes[item.size] += 1
            brightest = max(brightest, item.brightest)
        tell(images=len(images), total=total)
    if labels == "path" and source.format == "npz":
        _check_paths(source, images)
    for place in excluded_places(source, images):
        images[place], places[place] = marked(images[place]), -1
    return SourceImages(images, places, spool, keeping.copies, sizes, brightest)


def _check_meant(source: Source, labels: Labels, label_column: str | None) -> None:
    """Refuse what is said of the labels where it would change nothing."""
    said: list[tuple[str, str]] = []
    if labels != "folder" and source.format not in ("folder", "npz"):
        said.append((f"labels: {labels}", "labels of images in a folder, or of an .npz file,"))
    if label_column is not None and source.format != "csv":
        said.append((f"label_column: {label_column}", "the labels of a csv file of pixels"))
    for key, meant in said:
        raise UserError(
            f"split: {{{key}}} says where {meant} are, and the data is {_CALLED[source.format]}, "
            "which says it itself",
            f"leave out {key.partition(':')[0]} under split:",
        )


def _check_paths(source: Source, images: Sequence[SourceImage]) -> None:
    """Refuse labels of a file that were said to be paths, and of which none is one."""
    if images and not any(image.group for image in images):
        raise UserError(
            f"split: {{labels: path}} takes the labels in {source.files[0].name} for GROUP/LABEL, "
            f"and none has a /, such as {images[0].label!r}",
            "leave out labels under split:, or save the labels with the group before them",
        )


def _read_file(
    source: Source, file: SourceFile, target: TargetFormat, layout: FolderLayout
) -> _Read:
    if file.is_folder:  # of no label: one that only such folders bear is none of the data
        return _Read(SourceImage(file.name, file.name, "", "", file.fault))
    place = layout.place(file.name)
    found = SourceImage(file.name, file.name, place.label, "", split=place.split, group=place.group)
    if fault := _fault_of(file, place.fault):
        return _Read(replace(found, fault=fault))
    try:
        decoded = _decoded(source, file, target)
    except BadImage as error:
        return _Read(replace(found, fault=str(error)))
    return _sound(found, decoded, target)


def _fault_of(file: SourceFile, misplaced: str | None) -> str:
    """Say why a file is none of the images, before it is opened; nothing when it may be one."""
    if file.fault:
        return file.fault
    if file.link:
        return f"link: leads to {file.link}, which counts once, by that name"
    if not misplaced:
        return ""
    advice = "; if it lists the images, give this file as the data"
    return f"layout: {misplaced}{advice if is_table(file.name) else ''}"


def _decoded(source: Source, file: SourceFile, target: TargetFormat) -> Decoded:
    if file.size_bytes > max_bytes(target.max_pixels):
        raise BadImage("too-large", f"{file.size_bytes} bytes are more than any image has here")
    return decode_image(
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
        decoded = _decoded(source, named.file, target)
    except BadImage as error:
        return _Read(replace(image, fault=str(error)))
    return _sound(image, decoded, target)


def _read_record(record: Record, target: TargetFormat, labels: Labels) -> _Read:
    group, below, _ = record.label.partition("/")
    found = SourceImage(
        f"{record.file}#{record.index}", record.file, record.label, "", split=record.split,
        group=record.group or (group if labels == "path" and below else None),
    )  # fmt: skip
    if not (record.label.strip() or isinstance(record.pixels, BadImage)):
        return _Read(replace(found, fault="label: it is given none"))
    try:
        if isinstance(record.pixels, BadImage):
            raise record.pixels
        pixels = from_array(record.pixels, channels=target.channels, maximum=target.maximum)
    except BadImage as error:
        return _Read(replace(found, fault=str(error)))
    return _sound(found, Decoded(pixels, pillow_image(pixels)), target)


def _sound(found: SourceImage, decoded: Decoded, target: TargetFormat) -> _Read:
    pixels = decoded.pixels
    try:
        small = framed(pixels, target.height, target.width, target, decoded.same)
    except BadImage as error:
        return _Read(replace(found, fault=str(error)))
    # The digest is of the whole image: what only a part has in common is not the same.
    found = replace(found, digest=pixel_digest(pixels))
    copy = copy_of(decoded.same)
    # The copy is looked through sooner, and of a bright image that is all that is asked for.
    brightest = max(copy.tobytes())
    brightest = brightest if brightest >= DARK else int(pixels.max())
    return _Read(found, small, copy, pixels.shape[:2], brightest)
