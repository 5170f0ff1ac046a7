"""Csv files as text: lines of a bounded length, rows of trimmed cells, titles of columns.

Loads nothing outside of the standard library: the host reads the lists of images, too.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Final, cast

from components.contract.errors import UserError

LABEL_TITLES: Final = ("label", "class", "target", "identity")
"""Titles of the column that holds labels, in lower case."""

_LINE_CHARACTERS = 1 << 26
_SEPARATORS = ",;\t"
_GZIP = b"\x1f\x8b"


def rows_of(path: Path, name: str) -> Generator[list[str]]:
    """Yield the rows of a file that are not empty, their cells trimmed.

    The separator is the one of comma, semicolon and tab that stands first in the first line.

    Args:
        path: Unpacked when its content (not its name) says gzip.
        name: Of the file, for errors.

    Raises:
        UserError: It is damaged, no text in UTF-8, or has a line without end.
    """
    try:
        with _opened(path) as stream, closing(_lines(stream, name)) as lines:
            first = next(lines, "")
            separator = next((letter for letter in first if letter in _SEPARATORS), ",")
            for row in csv.reader(_chained(first, lines), delimiter=separator):
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield cells
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise UserError(f"{name} is damaged: {error}", "fetch or write the file again") from None


def column_of(titles: Sequence[str], names: Sequence[str], file: str) -> int | None:
    """Return the place of the one column that is headed by one of these names.

    Args:
        titles: The cells of the header, in lower case.
        names: What the column may be called.
        file: For errors.

    Raises:
        UserError: Several are.
    """
    found = [place for place, title in enumerate(titles) if title in names]
    if len(found) > 1:
        raise UserError(
            f"{file} has {len(found)} columns that could be meant: "
            f"{', '.join(titles[place] for place in found)}",
            f"leave the title {titles[found[0]]!r} as it is, if that is the right one, and give "
            "the others another title",
        )
    return found[0] if found else None


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _lines(stream: IO[bytes], name: str) -> Generator[str]:
    number = 0
    while line := stream.readline(_LINE_CHARACTERS):
        number += 1
        if len(line) == _LINE_CHARACTERS:
            raise UserError(f"{name} has a line without end", "write one image a row")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise UserError(
                f"{name} is no text in UTF-8: line {number} holds other bytes",
                f"save it as UTF-8: iconv -f LATIN1 -t UTF-8 {name} > utf8.csv (or UTF-16, or "
                "what else it was written in)",
            ) from None


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines
