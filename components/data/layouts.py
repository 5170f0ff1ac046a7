"""Layouts that are no folders of labels: told by the names of files, each with what to do.

Splits without labels, or called otherwise; boxes and masks beside images; a folder around others.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import Final

from components.contract.errors import UserError
from components.data.image_list import IMAGE_FILE
from components.data.placing import SPLIT_WORDS, FolderLayout

_IMAGES: Final = "images"
_BOXES: Final = "labels"
"""What folders of images and of their boxes are called where networks learn to detect."""
_PICTURES: Final = ("images", "image", "imgs", "img", "jpegimages")
_MASKS: Final = ("masks", "mask", "labels", "annotations", "segmentationclass", "gt")
"""What folders of images and of masks are called where networks learn to segment."""
_LIKE_A_SPLIT: Final = re.compile(
    r"(^|[^a-z])(train|training|val|valid|validation|dev|eval|test|testing)([^a-z]|$)"
)
_LIST: Final = "list the images in a .csv file with the columns path and label, and give that"


def check_layout(names: Iterable[str], layout: FolderLayout) -> None:
    """Refuse folders that say something else than a label, and would be taken for one.

    Args:
        names: Relative POSIX paths of all files.
        layout: How they are taken.

    Raises:
        UserError: The folders are splits without labels, splits below labels, or images and masks.
    """
    names = list(names)
    if not layout.divided and (flat := _flat_splits(names)):
        top, _, image = flat[0].partition("/")
        raise UserError(
            f"{' and '.join(sorted({name.partition('/')[0] for name in flat}))} are called as "
            "splits and hold images, not folders of labels: nothing says what these show",
            f"put them into folders of labels: {top}/LABEL/{image} in place of {flat[0]}; or list "
            "them in a .csv file with the columns path, label and split, and give that",
        )
    # Where labels are folders and no groups are, no image has a label that lies so deep.
    if (layout.labels == "path" or layout.groups == "folder") and (example := splits_below(names)):
        raise UserError(
            f"{example} and all others that lie as deep are in folders called as splits, which "
            f"{'labels: path' if layout.labels == 'path' else 'groups: folder'} takes for labels",
            splits_on_top(example),
        )
    if masked := masks_beside(names):
        image, mask = masked
        folder = posixpath.basename(posixpath.dirname(mask))
        raise UserError(
            f"{mask} looks like the mask of {image} (segmentation), and a model here tells what a "
            "whole image shows",
            f"where an image has one label, {_LIST}; where both folders are classes, rename "
            f"{folder}",
        )


def _flat_splits(names: Sequence[str]) -> list[str]:
    """Return the images of folders at the top where two or more are all called as splits."""
    inside: list[str] = []
    tops: set[str] = set()
    for name in names:
        top, slash, _ = name.partition("/")
        if slash:
            if top.casefold() not in SPLIT_WORDS:  # as in most data: the others need no look
                return []
            inside.append(name)
            tops.add(top.casefold())
    return sorted(inside) if len(tops) > 1 else []


def splits_below(names: Iterable[str]) -> str | None:
    """Return an image whose split lies below its label, ``ant/train/1.png``, if all are like it.

    Args:
        names: Relative POSIX paths of all files.
    """
    deep = [name for name in names if name.count("/") > 1]
    below = {name.split("/")[-2].casefold() for name in deep}
    return deep[0] if len(below) > 1 and below <= SPLIT_WORDS.keys() else None


def splits_on_top(name: str) -> str:
    """Return what to do about splits that lie below labels.

    Args:
        name: Of one of the images.
    """
    *folders, split, image = name.split("/")
    return (
        "put the folders of splits above those of labels, and the split is kept: "
        f"{'/'.join((split, *folders, image))} in place of {name}"
    )


def boxes_beside(names: Iterable[str]) -> tuple[str, str] | None:
    """Return an image and the text file beside it that holds boxes, as YOLO has them.

    ``images/train/1.jpg`` then has ``labels/train/1.txt``.

    Args:
        names: Relative POSIX paths of all files.
    """
    names = list(names)
    texts = {name for name in names if name.lower().endswith(".txt")}
    for name in names:
        folders = name.split("/")[:-1]
        if _IMAGES in folders and name not in texts:
            at = folders.index(_IMAGES)
            beside = "/".join((*folders[:at], _BOXES, *name.split("/")[at + 1 :]))
            text = f"{beside.rpartition('.')[0]}.txt"
            if text in texts:
                return name, text
    return None


def masks_beside(names: Iterable[str]) -> tuple[str, str] | None:
    """Return an image and its mask where all folders but splits are one of images and one of masks.

    Most images have then one of the same name in the other folder: ``masks/1.png`` beside
    ``images/1.jpg``.

    Args:
        names: Relative POSIX paths of all files.
    """
    found: dict[str, dict[str, str]] = {}
    for name in names:
        if not IMAGE_FILE.search(name):
            continue
        folders = name.split("/")[:-1]
        labels = [one.casefold() for one in folders if one.casefold() not in SPLIT_WORDS]
        if len(labels) != 1 or labels[0] not in (*_PICTURES, *_MASKS):
            return None
        splits = [one for one in folders if one.casefold() in SPLIT_WORDS]
        stem = posixpath.splitext(posixpath.basename(name))[0]
        found.setdefault(labels[0], {})["/".join([*splits, stem])] = name
    pictures = [of for label, of in found.items() if label in _PICTURES]
    masks = [of for label, of in found.items() if label in _MASKS]
    if len(pictures) != 1 or len(masks) != 1:
        return None
    both = sorted(pictures[0].keys() & masks[0].keys())
    if 2 * len(both) <= len(pictures[0]):
        return None
    return pictures[0][both[0]], masks[0][both[0]]


def cut_out(image: str, text: str) -> str:
    """Return what to do about images with boxes.

    Args:
        image: Name of one.
        text: Of the file with its boxes.
    """
    return (
        f"{text} looks like the boxes of {image} (detection, as YOLO has it), and a model here "
        "tells what a whole image shows: cut out what the boxes hold, into one folder for each "
        f"class; or, where an image has one label, {_LIST}"
    )


def advice(names: Iterable[str]) -> str:
    """Return what to do about images that lie too deep.

    Args:
        names: Relative POSIX paths of all files.
    """
    names = list(names)
    if boxes := boxes_beside(names):
        return cut_out(*boxes)
    if example := splits_below(names):
        return splits_on_top(example)
    tops = sorted({name.partition("/")[0] for name in names if "/" in name})
    splits = [top for top in tops if top.casefold() in SPLIT_WORDS]
    others = [top for top in tops if top.casefold() not in SPLIT_WORDS]
    if others and len(tops) > 1 and all(_LIKE_A_SPLIT.search(top.casefold()) for top in others):
        return (
            f"call {', '.join(others)} train, val or test, as what each is, with the folders of "
            "labels right below, as in train/LABEL/IMAGE, and the split is kept"
        )
    if splits and others and len(splits) >= len(others):
        return (
            f"move {', '.join(others)} out of the data folder: {', '.join(splits)} are taken for "
            "splits only where all folders beside them are splits"
        )
    path = "set split: {labels: path}, which takes the whole folder path as label"
    if around := _around(names):
        return f"give the folder {around} in it as the data; or {path}"
    return (
        f"{path}; or split: {{groups: folder}} where the folders at the top are groups, such as "
        "sites or cameras"
    )


def _around(names: Iterable[str]) -> str:
    """Return the folder that all others lie in, where the only one at the top is none of labels."""
    folders = {posixpath.dirname(name) for name in names} - {""}
    around = posixpath.commonpath(folders) if folders else ""
    return "" if around in folders or around.casefold() in SPLIT_WORDS else around
