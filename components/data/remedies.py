"""Remedies: what helps where too little of a source can be used, by the fault of most of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from components.contract.source import EMPTY_FOLDER, IDX_IMAGES
from components.data.images_found import SourceImage
from components.data.layouts import advice, boxes_beside, cut_out
from components.data.placing import DEEPER, UNGROUPED


def remedy(images: Sequence[SourceImage]) -> str:
    """Return what to do about the fault that at least half of the images have; nothing for others.

    Args:
        images: Of the whole source, sound or not.
    """
    images = [image for image in images if not image.fault.startswith(EMPTY_FOLDER)]
    if place := _records_below(images):
        return f"give {place} as the data"
    if any(DEEPER in image.fault for image in images):
        return advice(image.file for image in images)
    if boxes := boxes_beside(image.file for image in images):
        return cut_out(*boxes)
    if any(UNGROUPED in image.fault for image in images):
        return (
            "remove groups: folder under split:, or put the folders of labels into one folder for "
            "each group"
        )
    faults = [image.fault for image in images if image.fault]
    kinds = Counter(fault.partition(":")[0] for fault in faults)
    for kind, count in kinds.most_common(1):
        if 2 * count >= len(images) and kind in _BY_KIND:
            return _BY_KIND[kind]([fault for fault in faults if fault.startswith(f"{kind}:")])
    return ""


def _records_below(images: Sequence[SourceImage]) -> str:
    """Return what holds many images, in a folder and where no file is an image; else nothing."""
    if not all(image.fault for image in images):
        return ""
    for name in (image.file for image in images):
        folder, _, own = name.rpartition("/")
        if folder and re.fullmatch(IDX_IMAGES, own):
            return f"the folder {folder} in it"
        if folder and own.lower().endswith(".npz"):
            return f"the file {name} in it"
    return ""


def _scale(faults: Sequence[str]) -> str:
    """Return the largest value of the files; none where they are no brightness from 0 on."""
    found = [re.search(r"from (\S+) to (\S+);", fault) for fault in faults]
    ranges = [(float(one[1]), float(one[2])) for one in found if one]
    if not all(low >= 0 and math.isfinite(high) for low, high in ranges):
        return "save them with pixels from 0 to 255"
    largest = math.ceil(max(high for _, high in ranges))
    return f"set image: {{maximum: {largest}}}, or what is white in the files"


def _depth(faults: Sequence[str]) -> str:
    if any("image.maximum" in fault for fault in faults):
        return "set image: {maximum: 65535} where all 16 bits are used, or save them with 8 bits"
    return "save them with 8 bits a channel"


def _pixels(faults: Sequence[str]) -> str:
    found = [re.search(r": (\d+)(?: x (\d+))? are more", fault) for fault in faults]
    most = max((int(one[1]) * int(one[2] or 1) for one in found if one), default=0)
    return f"set max_pixels: {most} under split, or store smaller images"


def _numbers(faults: Sequence[str]) -> str:
    """Return what to do about rows that are no pixels: most often numbers are written otherwise."""
    if any(re.search(r"'-?\d*,\d+' is no number", fault) for fault in faults):
        return (
            "write the numbers with a point: pd.read_csv(FILE, sep=';', decimal=',')"
            ".to_csv(FILE, index=False)"
        )
    return "correct these rows: each needs a label and as many numbers as the first row"


def _others(faults: Sequence[str]) -> str:
    if any("pillow-heif" in fault for fault in faults):
        return "install slimline[heif], or save them as JPEG"
    return "give images in their place: PNG, JPEG, WebP, AVIF, TIFF, BMP, GIF or PPM"


_BY_KIND: Final[Mapping[str, Callable[[Sequence[str]], str]]] = {
    "range": _scale,
    "row": _numbers,
    "sixteen-bit": _depth,
    "too-many-pixels": _pixels,
    "not-an-image": _others,
    "cmyk": lambda _: "save them as RGB",
    "animated": lambda _: "save the frame or page that is meant as an image of its own",
    "layout": lambda _: "move them into the folders of their labels",
    "crop": lambda _: (
        "set crop: [top, left, height, width] under image to a part that all of them hold, or "
        "leave crop out"
    ),
}
"""What is to be done, by the word that a reason begins with."""
