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
from functools import lru_cache
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
        return _place_of(name.rpartition("/")[0], self)


@lru_cache(maxsize=1)  # the images of a folder come one after the other
def _place_of(folder: str, layout: FolderLayout) -> Place:
    folders = [sys.intern(part) for part in folder.split("/") if folder]  # one text for all images
    split = folders.pop(0).casefold() if layout.divided and folders else None
    if not folders:
        return Place("", split, fault=BESIDE)
    if layout.groups == "folder" and len(folders) == 1:
        return Place("", split, folders[0], fault=UNGROUPED)
    if layout.labels == "path":
        group = folders[0] if len(folders) > 1 else None
        return Place(sys.intern("/".join(folders)), split, group)
    group = folders.pop(0) if layout.groups == "folder" else None
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
