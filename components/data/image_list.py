"""Lists of images: a csv file that names an image and its label in each row.

The host reads the list to know which files are meant, and ingest reads it again to know what they
are, so nothing heavy is imported here.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from components.contract.errors import UserError
from components.contract.source import Source, SourceFile
from components.data.csv_text import (
    GROUP_TITLES,
    LABEL_TITLES,
    SPLIT_TITLES,
    column_of,
    rows_of,
)
from components.data.placing import SPLIT_WORDS

PATH_TITLES: Final = ("path", "file", "image", "filename")
"""Titles of the column that names the images, in lower case."""

IMAGE_FILE: Final = re.compile(
    r"\.(png|jpe?g|webp|bmp|gif|p[gnp]m|tiff?|avif|heic)$", re.IGNORECASE
)
"""What names of images end in; only where nothing is opened to tell."""

UNLISTED: Final = "unlisted"
"""Kind of reason for which an image beside the listed ones is not used."""

_LIKE_A_SPLIT = re.compile(r"^sealed$|^selection$|train|test|valid|\b(val|dev|eval)\b|_(val|dev)$")
"""A word for a split, also for one that nobody can tell, such as FER2013's ``PublicTest``."""


@dataclass(frozen=True)
class ListedImage:
    """One row of a list.

    Attributes:
        index: Its place, from 0; the header does not count.
        path: What it says, trimmed.
        label: Name of its class or identity; empty where the row gives none.
        split: Lower-case word by which it says where the image is used, if it does.
        group: What it says the image belongs to, if it does.
    """

    index: int
    path: str
    label: str
    split: str | None
    group: str | None


@dataclass(frozen=True)
class NamedImage:
    """One row of a list with the file that it names.

    Attributes:
        name: The file's, or the list's, ``#`` and the row for what names no file of its own.
        row: What the list says.
        file: What it names; None where there is none.
        fault: Why the row cannot be used; a word, a colon and details. Empty when it can.
    """

    name: str
    row: ListedImage
    file: SourceFile | None
    fault: str = ""


@dataclass(frozen=True)
class _Columns:
    path: int
    label: int
    split: int | None
    group: int | None


def is_table(name: str) -> bool:
    """Whether a file of this name is a csv file, packed or not."""
    return name.lower().endswith((".csv", ".csv.gz"))


def is_list(path: Path, name: str) -> bool:
    """Whether a csv file has a header that names a column of paths, and rows that hold some.

    Args:
        path: Of the file.
        name: For errors.

    Raises:
        UserError: The file is damaged or no text, or two columns have such titles.
    """
    rows = rows_of(path, name)
    column = column_of([title.lower() for title in next(rows, list[str]())], PATH_TITLES, name)
    first = next(rows, list[str]())
    # A column of numbers that is called image is one of pixels.
    return column is not None and not (
        column < len(first) and first[column].replace(".", "", 1).isdigit()
    )


def listed_images(path: Path, name: str) -> Iterator[ListedImage]:
    """Yield the rows of a list.

    Args:
        path: Of the file.
        name: For errors.

    Raises:
        UserError: It has no column of labels, or two columns that could be meant.
    """
    rows = rows_of(path, name)
    columns = _columns(next(rows), name)
    for index, row in enumerate(rows):
        yield ListedImage(
            index,
            _cell(row, columns.path) or "",
            _cell(row, columns.label) or "",
            (_cell(row, columns.split) or "").lower() or None,
            _cell(row, columns.group),
        )


def named_images(source: Source) -> Iterator[NamedImage]:
    """Yield an image for each row of a source's list, in its order, then what no row names.

    Args:
        source: Of the format ``list``.

    Raises:
        UserError: See ``listed_images``, or the list changed since the source was listed.
    """
    files = {file.name: file for file in source.files}
    named: set[str] = set()
    for row in listed_images(source.verified(files[source.index]), source.index):
        meant = names_meant(row.path, source.index, source.root)
        file = next((files[name] for name in meant if name in files), None)
        own = file is not None and file.name not in named
        if file and own:
            named.add(file.name)
        yield NamedImage(
            file.name if file and own else f"{source.index}#{row.index}",
            row,
            file,
            _fault(row, meant, file, source.root),
        )
    for file in source.files:
        if file.fault.startswith(f"{UNLISTED}:"):
            row = ListedImage(-1, file.name, "", None, None)
            yield NamedImage(file.name, row, file, file.fault)


def unread_splits(source: Source) -> list[str]:
    """Return a warning where a list says a split in a column that is not called split.

    Args:
        source: Of any format; others than ``list`` have no such column.

    Raises:
        UserError: The list changed since the source was listed.
    """
    if source.format != "list":
        return []
    file = next(file for file in source.files if file.name == source.index)
    rows = rows_of(source.verified(file), file.name)
    titles = next(rows)
    if {title.lower() for title in titles} & {*SPLIT_TITLES}:
        return []
    said = [set[str]() for _ in titles]
    for row in rows:
        for values, cell in zip(said, row, strict=False):
            if cell and len(values) <= len(SPLIT_WORDS):
                values.add(cell.lower())
    return [
        f"the column {title!r} of {file.name} says {', '.join(sorted(values))} and is not called "
        f"split, so the images are divided anew. Call it split{_words_for(values)} to keep that "
        "split"
        for title, values in zip(titles, said, strict=True)
        if len(values) > 1
        and values & SPLIT_WORDS.keys()
        and all(map(_LIKE_A_SPLIT.search, values))
    ]


def _words_for(values: set[str]) -> str:
    """Say which words a column of splits has to have, where it has others."""
    return "" if values <= SPLIT_WORDS.keys() else ", with the words train, val and test in it,"


def unlisted(names: Iterable[str], listed: Iterable[str], index: str) -> list[SourceFile]:
    """Return the images that lie in folders of listed ones and that the list does not name.

    Args:
        names: What lies in these folders, and maybe elsewhere.
        listed: What the list names.
        index: Name of the list.
    """
    known = {*listed, index}
    folders = {posixpath.dirname(name) for name in known - {index}}
    return [
        SourceFile(name, 0, "", fault=f"{UNLISTED}: {index} does not name it")
        for name in sorted(set(names) - known)
        if posixpath.dirname(name) in folders and IMAGE_FILE.search(name)
    ]


def _fault(row: ListedImage, meant: Sequence[str], file: SourceFile | None, root: str) -> str:
    if not row.path:
        return "path: the row has none"
    if not row.label:
        return "label: the row has none"
    if not meant:
        return f"outside: {row.path!r} is not below {root}"
    return file.fault if file else f"missing: there is no {meant[0]}"


def names_meant(path: str, list_name: str, root: str) -> tuple[str, ...]:
    """Return the names in the source that a row could mean, the likeliest first.

    Systems write accents in two forms, and archives change one into the other.

    Args:
        path: What the row says: relative to the list, or whole.
        list_name: Name of the list in the source.
        root: Where the names of the source start from: an absolute path, or ``gs://bucket/prefix``.

    Returns:
        Relative POSIX paths; none where the row means something outside of the source.
    """
    spellings = dict.fromkeys((path, path.replace("\\", "/")))
    if not path.isascii():
        forms = [[unicodedata.normalize(form, one) for one in spellings] for form in ("NFC", "NFD")]
        spellings |= dict.fromkeys(chain.from_iterable(forms))
    places = (_inside(spelling, posixpath.dirname(list_name), root) for spelling in spellings)
    return tuple(place for place in places if place)


def _inside(path: str, folder: str, root: str) -> str | None:
    if path.startswith(f"{root.rstrip('/')}/"):
        name = posixpath.normpath(path[len(root.rstrip("/")) + 1 :])
    elif path.startswith("/") or "://" in path or not path:
        return None
    else:
        name = posixpath.normpath(posixpath.join(folder, path))
    return None if name == "." or name.split("/")[0] == ".." else name


def _columns(header: Sequence[str], name: str) -> _Columns:
    titles = [title.lower() for title in header]
    path = column_of(titles, PATH_TITLES, name)
    label = column_of(titles, LABEL_TITLES, name)
    assert path is not None, "is_list said so"
    if label is None:
        classes = [title for place, title in enumerate(header) if place != path]
        one_hot = (
            "; where each class has a column of 0 and 1, these become one by "
            f"table['label'] = table[{classes}].idxmax(axis=1)"
        )
        raise UserError(
            f"{name} is a list of images with the columns {', '.join(header)}, none of which is "
            f"called {', '.join(LABEL_TITLES[:-1])} or {LABEL_TITLES[-1]}",
            "call the column that holds the class or identity label, in the first line"
            + (one_hot if len(classes) > 1 else ""),
        )
    split, group = (column_of(titles, names, name) for names in (SPLIT_TITLES, GROUP_TITLES))
    return _Columns(path, label, split, group)


def _cell(row: Sequence[str], column: int | None) -> str | None:
    """Return what a row says in a column, or None where it has none or is empty."""
    return (row[column] or None) if column is not None and column < len(row) else None
