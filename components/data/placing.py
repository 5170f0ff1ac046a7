"""Placing: what the path of an image says of it: its split, its label, and the folder it is from.

A folder of images is laid out as ``LABEL/IMAGE``. Where every folder at the top is called as a
split and holds folders, it is ``SPLIT/LABEL/IMAGE``: the division of who made the data. With
``labels: path`` all folders above an image are its label, as in ``Alphabet/character01``. With
``groups: folder`` it is ``GROUP/LABEL/IMAGE``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from components.artifacts.dataset import SEALED
from components.data.settings import Groups, Labels

TRAIN: Final = "train"

SPLIT_WORDS: Final[Mapping[str, str]] = {
    "train": TRAIN,
    "training": TRAIN,
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "selection": "selection",
    "test": SEALED,
    "testing": SEALED,
    "sealed": SEALED,
}
"""What folders and columns call a split, and which split that is here."""

_IMAGES: Final = "images"
_BOXES: Final = "labels"
"""What folders of images and of their boxes are called where networks learn to detect."""

BESIDE: Final = "lies beside the folders of labels, not in one"
DEEPER: Final = "lies deeper than the folder of its label"
UNGROUPED: Final = "lies beside the folders of labels of a group, not in one (groups: folder)"


@dataclass(frozen=True)
class Place:
    """What a path says of an image.

    Attributes:
        label: Name of its class or identity.
        split: Word by which its folder is called as a split; None where the data has no splits.
        group: The first folder, where it is one; see ``Groups``.
        fault: What is wrong with the place; empty when nothing is.
    """

    label: str
    split: str | None = None
    group: str | None = None
    fault: str = ""


@dataclass(frozen=True)
class FolderLayout:
    """How the files of a folder are laid out; ``layout_of`` tells.

    Attributes:
        divided: Whether the folders at the top are splits.
        labels: What of the path is the label.
        groups: Whether the folder above that of the label is a group.
    """

    divided: bool
    labels: Labels
    groups: Groups = "given"

    def place(self, name: str) -> Place:
        """Return what the path of an image says.

        Args:
            name: Relative POSIX path.
        """
        *folders, _ = name.split("/")
        folders = [sys.intern(folder) for folder in folders]  # one text for all of its images
        split = folders.pop(0).casefold() if self.divided and folders else None
        if not folders:
            return Place("", split, fault=BESIDE)
        if self.groups == "folder" and len(folders) == 1:
            return Place("", split, folders[0], fault=UNGROUPED)
        if self.labels == "path":
            group = folders[0] if len(folders) > 1 else None
            return Place(sys.intern("/".join(folders)), split, group)
        group = folders.pop(0) if self.groups == "folder" else None
        return Place(folders[0], split, group, fault=DEEPER if len(folders) > 1 else "")


def layout_of(names: Iterable[str], labels: Labels, groups: Groups = "given") -> FolderLayout:
    """Tell how files are laid out.

    Args:
        names: Relative POSIX paths of all files.
        labels: What of a path is the label.
        groups: Whether the folder above that of the label is a group.
    """
    tops: set[str] = set()
    deep = False
    for name in names:
        top, slash, rest = name.partition("/")
        if slash:
            tops.add(top.casefold())
            deep = deep or "/" in rest
    return FolderLayout(tops <= SPLIT_WORDS.keys() and deep, labels, groups)


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


def cut_out(image: str, text: str) -> str:
    """Return what to do about images with boxes.

    Args:
        image: Name of one.
        text: Of the file with its boxes.
    """
    return (
        f"{text} looks like the boxes of {image} (detection, as YOLO has it), and a model here "
        "tells what a whole image shows: cut out what the boxes hold, into one folder for each "
        "class; or, where an image has one label, list the images in a .csv file with the columns "
        "path and label, and give that"
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
    if splits and others and len(splits) >= len(others):
        return (
            f"move {', '.join(others)} out of the data folder: {', '.join(splits)} are taken for "
            "splits only where all folders beside them are splits"
        )
    return (
        "set split: {labels: path}, which takes the whole folder path as label; or "
        "split: {groups: folder} where the folders at the top are groups, such as sites or cameras"
    )
