"""Csv files with an image a row: its pixels, and its label in the first, last or a titled column.

Which column holds the label is never guessed: a header names it, or the user does.
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
from components.data.csv_text import LABEL_TITLES, column_of, rows_of
from components.data.image_list import IMAGE_FILE
from components.data.images import BadImage
from components.data.record import Record, RecordFormat

_LOG = logging.getLogger(__name__)
_COUNTING_LEAST = 3  # numbers in a row below which 0,1 may well be two pixels
_PLACES = {"first": 0, "last": -1}


@dataclass(frozen=True)
class _RowForm:
    """How the rows of a file are to be read.

    Attributes:
        column: Place of the label, -1 for the last.
        header: Whether the first row holds titles.
        why: By what the column was told.
    """

    column: int
    header: bool
    why: str


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
        if layout.header:
            next(rows)
        first = next(rows, list[str]())
        if len(first) < 2:
            raise UserError(
                f"{file.name} has no row of pixels and a label", "write one image a row"
            )
        place = layout.column % len(first) + 1
        _LOG.info("labels of %s: column %d of %d, %s", file.name, place, len(first), layout.why)
        shape = form.shaped(len(first) - 1, file.name)
        form.check_size(shape, file.name)
        yield _record(file.name, 0, first, layout.column, shape)
        for index, row in enumerate(rows, start=1):
            yield _record(file.name, index, row, layout.column, shape)


def _layout(path: Path, name: str, form: RecordFormat) -> _RowForm:
    """Tell a header from an image, and which column holds the labels.

    Raises:
        UserError: Nothing says which column, or the header and the user say different ones.
    """
    first = next(rows_of(path, name), list[str]())
    if len(first) < 2:
        raise UserError(f"{name} has no row of pixels and a label", "write one image a row")
    if any(map(IMAGE_FILE.search, first)):
        raise UserError(
            f"{name} lists files, and its first row {_shortened(first)} names no column path",
            "begin the file with a line of titles, one for each column: path,label",
        )
    titles = [cell.lower() for cell in first]
    if "" in titles and not all(map(_is_number, filter(None, titles))):
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
        return _RowForm(titled, header=True, why=f"headed {first[titled]!r}")
    if given is not None and form.label_column is not None:
        header = _is_header(path, name, first, given, titled=False)
        return _RowForm(
            _PLACES[form.label_column], header, f"as label_column: {form.label_column} says"
        )
    raise UserError(
        f"{name} does not say which column holds the label: its first row is {_shortened(first)}",
        "set label_column: last (or first) under split, or begin the file with a row of titles "
        "of which one is label",
    )


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


def _record(name: str, index: int, row: list[str], column: int, shape: tuple[int, int]) -> Record:
    count = math.prod(shape)
    if len(row) != count + 1 or not row[column]:
        fault = BadImage("row", f"{len(row) - 1} values and a label; expected {count}")
        return Record(name, index, row[column] if len(row) > column else "", fault)
    cells = list(row)
    label = cells.pop(column)
    try:
        pixels = np.array(cells, dtype=np.float64)
    except ValueError:
        return Record(name, index, label, BadImage("row", "not every value is a number"))
    return Record(name, index, label, pixels.reshape(shape))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shortened(row: Sequence[str]) -> str:
    shown = [*row[:4], "...", row[-1]] if len(row) > 6 else row
    return ",".join(shown)
