"""Csv files with an image a row: its pixels, and its label in the first, last or a titled column.

Which column holds the label is never guessed: a header names it, or the user does. Columns that a
header calls split and group say where an image is used and what it belongs to.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.contract.errors import UserError
from components.contract.source import Source
from components.data.csv_text import (
    GROUP_TITLES,
    LABEL_TITLES,
    SPLIT_TITLES,
    column_of,
    rows_of,
)
from components.data.image_list import IMAGE_FILE
from components.data.images import BadImage
from components.data.record import Record, RecordFormat

_LOG = logging.getLogger(__name__)
_PIXELS_LEAST = 4  # of an image
_COUNTING_LEAST = 3  # numbers in a row below which 0,1 may well be two pixels
_SHOWN_MAX = 20  # letters of a cell
_PLACES = {"first": 0, "last": -1}


@dataclass(frozen=True)
class _RowForm:
    """How the rows of a file are to be read.

    Attributes:
        column: Place of the label, -1 for the last.
        titles: The first row where it holds titles; empty where it is an image.
        why: By what the column was told.
        split: Place of the column that says where an image is used, if there is one.
        group: Place of the column that says what an image belongs to, if there is one.
    """

    column: int
    titles: Sequence[str]
    why: str
    split: int | None = None
    group: int | None = None

    @property
    def beside(self) -> list[int]:
        """Places of what is neither a pixel nor the label."""
        return [place for place in (self.split, self.group) if place is not None]


def csv_records(source: Source, form: RecordFormat) -> Iterator[Record]:
    """Read an image a row.

    A row that cannot be an image is a record with its fault.

    Args:
        source: Of the format ``csv``.
        form: The shape of the images, and where the label is if no header says so.

    Raises:
        UserError: The file is damaged, or it is not known which column holds the label.
    """
    for file in source.files:
        path = source.verified(file)
        layout = _layout(path, file.name, form)
        rows = rows_of(path, file.name)
        if layout.titles:
            next(rows)
        first = next(rows, list[str]())
        if len(first) < 2:
            raise UserError(
                f"{file.name} has no row of pixels and a label", "write one image a row"
            )
        place = layout.column % len(first) + 1
        _LOG.info("labels of %s: column %d of %d, %s", file.name, place, len(first), layout.why)
        _check_columns(file.name, first, layout, form)
        shape = form.shaped(len(first) - 1 - len(layout.beside), file.name)
        form.check_size(shape, file.name)
        yield _record(file.name, 0, first, layout, shape)
        for index, row in enumerate(rows, start=1):
            yield _record(file.name, index, row, layout, shape)


def _check_columns(name: str, first: Sequence[str], layout: _RowForm, form: RecordFormat) -> None:
    """Refuse what is no pixel among the pixels, before their count is called wrong.

    Raises:
        UserError: Titles tell of columns that hold none.
    """
    known = {layout.column % len(first), *layout.beside}
    odd = [
        title
        for place, title in enumerate(layout.titles)
        if place not in known and not title[-1:].isdigit()
    ]
    pixels = len(first) - len(known)
    if odd and len(odd) < pixels and not form.is_shaped(pixels):
        raise UserError(
            f"{name} has columns that hold neither pixels nor the label: {', '.join(odd)}",
            f"leave them out: pd.read_csv({name!r}).drop(columns={odd})"
            f".to_csv({name!r}, index=False); or call one that says train, val or test split, and "
            "one that names groups group; or, where they are pixels, set image: {height, width} to "
            "the size in the file",
        )


def _layout(path: Path, name: str, form: RecordFormat) -> _RowForm:
    """Tell a header from an image, and which column holds the labels.

    Raises:
        UserError: Nothing says which column, or the header and the user say different ones.
    """
    first = next(rows_of(path, name), list[str]())
    if len(first) < 2:
        raise UserError(f"{name} has no row of pixels and a label", "write one image a row")
    _check_files(path, name, first)
    _check_pixels(path, name, first)
    titles = [cell.lower() for cell in first]
    numbered = "" in titles and not all(map(_is_number, filter(None, titles)))
    if numbered or any(title.startswith("unnamed:") for title in titles):
        raise UserError(
            f"{name} has a column without title, such as the numbers of the rows are",
            "leave it out: table.to_csv(path, index=False)",
        )
    given = None if form.label_column is None else _PLACES[form.label_column] % len(first)
    titled = column_of(titles, LABEL_TITLES, name)
    if titled is not None and _is_header(path, name, first, titled, titled=True):
        if given not in (None, titled):
            raise UserError(
                f"{name} heads column {titled + 1} {first[titled]!r}, and label_column is "
                f"{form.label_column}",
                "leave label_column out, or give that column another title",
            )
        return _titled(titled, first, f"headed {first[titled]!r}", name)
    if given is not None and form.label_column is not None:
        why = f"as label_column: {form.label_column} says"
        if _is_header(path, name, first, given, titled=False):
            return _titled(given, first, why, name)
        return _RowForm(_PLACES[form.label_column], (), why)
    raise UserError(
        f"{name} does not say which column holds the label: its first row is {_shortened(first)}",
        "set label_column: last (or first) under split, or begin the file with a row of titles "
        "of which one is label",
    )


def _check_files(path: Path, name: str, first: Sequence[str]) -> None:
    """Refuse a table of names of files that no column is called path in.

    Raises:
        UserError: It is one.
    """
    if any(map(IMAGE_FILE.search, first)):
        raise UserError(
            f"{name} lists files, and its first row {_shortened(first)} names no column path",
            "begin the file with a line of titles, one for each column: path,label",
        )
    rows = rows_of(path, name)
    next(rows)
    for title, cell in zip(first, next(rows, list[str]()), strict=False):
        if IMAGE_FILE.search(cell):
            raise UserError(
                f"{name} lists files in its column {title!r}, and none is called path",
                f"call the column {title!r} path, and the one that holds the class or identity "
                "label, in the first line",
            )


def _check_pixels(path: Path, name: str, first: Sequence[str]) -> None:
    """Refuse a table in which a row has no room for pixels.

    Raises:
        UserError: All pixels are in one cell, or there are too few.
    """
    rows = rows_of(path, name)
    next(rows)
    for place, cell in enumerate(next(rows, first)):
        if len(cell.split()) >= _COUNTING_LEAST and all(map(_is_number, cell.split())):
            title = first[place] if place < len(first) else str(place)
            raise UserError(
                f"{name} holds all pixels of an image in one cell, of the column {title!r}",
                f"write a column for each: table = pd.read_csv({name!r}); "
                f"table.join(table.pop({title!r}).str.split(expand=True))"
                f".to_csv({name!r}, index=False)",
            )
    if len(first) <= _PIXELS_LEAST:
        raise UserError(
            f"{name} has the columns {', '.join(first)}, which are too few to hold pixels, and of "
            "a list of images one is called path and holds names of files",
            "give it the titles path,label in its first line, in place of those that it has; and "
            f"write the path of each image, from the folder of {name} and with its ending",
        )


def _titled(column: int, titles: Sequence[str], why: str, name: str) -> _RowForm:
    """Return how rows below a header are read."""
    lower = [title.lower() for title in titles]
    places = (column_of(lower, names, name) for names in (SPLIT_TITLES, GROUP_TITLES))
    split, group = (None if place == column else place for place in places)
    return _RowForm(-1 if column == len(titles) - 1 else column, titles, why, split, group)


def _is_header(path: Path, name: str, first: Sequence[str], column: int, *, titled: bool) -> bool:
    """Whether a first row holds titles and no image, if its label is in ``column``."""
    pixels = [cell for place, cell in enumerate(first) if place != column]
    counts = len(pixels) >= _COUNTING_LEAST and _counts(pixels)
    if counts and _counts(first):  # titles that nobody gave, the label's among them
        return True
    if not (counts or titled) and all(map(_is_number, pixels)):
        return False
    rows = rows_of(path, name)
    next(rows)
    place = -1 if column == len(first) - 1 else column
    return all(row[place] != first[column] for row in rows if len(row) > column)


def _counts(cells: Sequence[str]) -> bool:
    """Whether these are 0, 1, 2 and so on, or 1, 2, 3."""
    return cells[0] in ("0", "1") and all(
        cell == str(number) for number, cell in enumerate(cells, start=int(cells[0]))
    )


def _record(
    name: str, index: int, row: list[str], layout: _RowForm, shape: tuple[int, int]
) -> Record:
    count, column = math.prod(shape), layout.column
    if len(row) != count + 1 + len(layout.beside):
        found = max(0, len(row) - 1 - len(layout.beside))
        fault = BadImage("row", f"{found} values and a label; expected {count}")
        return Record(name, index, row[column] if len(row) > column else "", fault)
    label = row[column]
    if not label:
        return Record(name, index, "", BadImage("label", "the row has none"))
    split, group = (
        row[place] if place is not None else None for place in (layout.split, layout.group)
    )
    cells = list(row)
    for place in sorted((column % len(row), *layout.beside), reverse=True):
        del cells[place]
    try:
        pixels = np.array(cells, dtype=np.float64).reshape(shape)
    except ValueError:
        odd = next((cell for cell in cells if not _is_number(cell)), "")
        pixels = BadImage("row", f"{odd[:_SHOWN_MAX]!r} is no number")
    return Record(name, index, label, pixels, (split or "").lower() or None, group or None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shortened(row: Sequence[str]) -> str:
    shown = [*row[:4], "...", row[-1]] if len(row) > 6 else row
    return ",".join(shown)
