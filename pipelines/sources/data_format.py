"""How data is to be read, by the names of its files alone: folders of labels, lists, arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from components.contract.errors import UserError
from components.contract.source import IDX_IMAGES, Format
from components.data.image_list import IMAGE_FILE, is_table
from components.data.placing import SPLIT_WORDS

EXPECTED: Final = (
    "expected a folder with one sub-folder per identity or class, a folder of idx files, "
    "or a file .npz, .csv or .csv.gz"
)
"""What data can be, as errors say it."""
_FILE_FORMATS: Mapping[str, Format] = {".npz": "npz", ".csv": "csv", ".csv.gz": "csv"}


def file_format(uri: str, name: str) -> Format:
    """Return how a file of data is to be read.

    Raises:
        UserError: It is of an unknown kind.
    """
    for suffix, form in _FILE_FORMATS.items():
        if name.lower().endswith(suffix):
            return form
    fix = "give the folder, or unpack the archive and give what was in it"
    if IMAGE_FILE.search(name):
        fix = "give the folder that holds a folder of images for each identity or class"
    if re.search(r"\.(xlsx?|ods|jsonl?|ya?ml|xml)$", name.lower()):
        fix = (
            "write what it says of the images as a .csv file with the columns path and label, and "
            "give that"
        )
    if name.lower().endswith((".tsv", ".txt")):
        to = f"{uri.rpartition('.')[0]}.csv"
        fix = f"if it is a table, whose cells tabs may separate, give it as .csv: mv {uri} {to}"
    raise UserError(f"{uri} is a file of an unknown kind; {EXPECTED}", fix)


def lone_list(names: Sequence[str]) -> str:
    """Return the csv file that says what the images of a folder are, because their folders cannot.

    That is so where there is one csv file at the top, and the images lie beside it, in one folder
    or in folders that are called as splits.
    """
    tables = _tables(names)
    return tables[0] if len(tables) == 1 and _says_no_label(names) else ""


def _tables(names: Sequence[str]) -> list[str]:
    return [name for name in names if "/" not in name and is_table(name)]


def _says_no_label(names: Sequence[str]) -> bool:
    """Whether the folders of images are none of labels."""
    images = [name.split("/") for name in names if IMAGE_FILE.search(name)]
    tops = {path[0].casefold() for path in images if len(path) > 1}
    flat = all(len(path) <= 2 for path in images)
    return bool(images) and (len(tops) <= 1 or (flat and tops <= SPLIT_WORDS.keys()))


def folder_format(uri: str, names: Sequence[str]) -> Format:
    """Return how a folder of data is to be read.

    Raises:
        UserError: Its images have no labels.
    """
    on_top = [name for name in names if "/" not in name]
    if any(map(re.compile(IDX_IMAGES).fullmatch, on_top)):
        return "idx"
    tables = _tables(on_top)
    if tables and len(on_top) < len(names) and _says_no_label(names):
        places = " or ".join(f"{uri.rstrip('/')}/{name}" for name in tables)
        raise UserError(
            f"the folders of {uri} say no labels of their images, and {', '.join(tables)} beside "
            "them may",
            f"give the file that lists images and labels as data: {places}; its first line has to "
            "name the columns, such as file,label",
        )
    if len(on_top) < len(names):
        return "folder"
    single = [name for name in names if name.lower().endswith(tuple(_FILE_FORMATS))]
    raise UserError(
        f"{uri} has {len(names)} files and no sub-folder; {EXPECTED}",
        f"give the file: {uri.rstrip('/')}/{single[0]}"
        if single
        else "move the images of each identity or class into a sub-folder named after it",
    )
