"""Csv files as text: lines of a bounded length, rows of trimmed cells, titles of columns.

Loads nothing outside of the standard library: the host reads the lists of images, too.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import os
import re
import shlex
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import IO, Final, cast

from components.contract.errors import UserError

LABEL_TITLES: Final = ("label", "class", "target", "identity")
"""Titles of the column that holds labels, in lower case."""
SPLIT_TITLES: Final = ("split",)
"""Titles of the column that says where an image is used."""
GROUP_TITLES: Final = ("group",)
"""Titles of the column that says what an image belongs to: a site, a camera."""

UNPACKED_BYTES_LEAST: Final = 64 << 20
"""What a packed file may unpack to, however small it is."""
UNPACKED_TIMES_MOST: Final = 100
"""How many times its own size a larger one may unpack to: pixels as text do to 5 to 30 times."""

_LINE_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 20
_SEPARATORS = ",;\t"
_SEPARATOR_TOLD = re.compile(r"^sep=([,;|\t])\s*$")
"""A first line that tells Excel which separator follows, and is no row."""
_LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")
"""Where a line of Excel on a Mac ends."""
_GZIP = b"\x1f\x8b"


def rows_of(path: Path, name: str) -> Generator[list[str]]:
    """Yield the rows of a file that are not empty, their cells trimmed.

    The separator is the one of comma, semicolon and tab that stands first in the first line,
    outside of quotes. Blanks around a quoted cell are no part of it.

    Args:
        path: Unpacked when its content (not its name) says gzip.
        name: Of the file, for errors.

    Raises:
        UserError: It is damaged, no text in UTF-8, has a line without end or a cell that is quoted
            by half, or unpacks to more than ``UNPACKED_BYTES_LEAST`` and ``UNPACKED_TIMES_MOST``
            times its size.
    """
    try:
        most_bytes = _most_bytes(path, name)
        with _opened(path) as stream, closing(_lines(stream, name, most_bytes)) as lines:
            for row in _parsed(lines, name):
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield cells
    except (OSError, EOFError, zlib.error) as error:
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


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if _is_packed(path) else path.open("rb")


def _most_bytes(path: Path, name: str) -> int | None:
    """Return how much of a packed file is read; None for all of one that is not packed.

    Raises:
        UserError: The file itself says, in its last four bytes, that there is more, and so it is.
    """
    if not _is_packed(path):
        return None
    size_bytes = path.stat().st_size
    most_bytes = max(UNPACKED_BYTES_LEAST, UNPACKED_TIMES_MOST * size_bytes)
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        says_bytes = int.from_bytes(file.read(4), "little")
    if says_bytes > most_bytes:  # or these are no such bytes, because the file is damaged
        left_bytes = most_bytes
        with _opened(path) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                left_bytes -= len(chunk)
                if left_bytes < 0:
                    raise _too_much(name, most_bytes)
    return most_bytes


def _too_much(name: str, most_bytes: int) -> UserError:
    return UserError(
        f"{name} unpacks to more than {most_bytes:,} bytes; of a packed file, "
        f"{UNPACKED_TIMES_MOST} times its size are read, or {UNPACKED_BYTES_LEAST:,} bytes",
        f"if that is right, unpack it, and give the unpacked file as the data: "
        f"gunzip < {shlex.quote(name)} > unpacked.csv",
    )


def _lines(stream: IO[bytes], name: str, most_bytes: int | None) -> Generator[str]:
    number = 0
    read_bytes = 0
    while line := stream.readline(_LINE_BYTES):
        number += 1
        read_bytes += len(line)
        if most_bytes is not None and read_bytes > most_bytes:
            raise _too_much(name, most_bytes)
        if len(line) == _LINE_BYTES:
            raise UserError(f"{name} has a line without end", "write one image a row")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            wide = number == 1 and line[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            form, others = (
                ("UTF-16", "") if wide else ("LATIN1", " (or what else it was written in)")
            )
            raise UserError(
                f"{name} is no text in UTF-8: line {number} holds other bytes",
                f"save it as UTF-8: iconv -f {form} -t UTF-8 {name} > utf8.csv{others}",
            ) from None
        yield from filter(None, _LONE_RETURN.split(text)) if b"\r" in line[:-2] else (text,)


def _parsed(lines: Iterator[str], name: str) -> Iterator[list[str]]:
    """Yield the rows of lines, blank ones among them.

    Raises:
        UserError: A quote opens a cell and does not close it: all that follows would be that cell.
    """
    head: list[str] = []
    for line in lines:
        head.append(line)
        if line.strip() and not _SEPARATOR_TOLD.fullmatch(line):
            break
    told = next(filter(None, map(_SEPARATOR_TOLD.fullmatch, head)), None)
    outside = re.sub(r'"[^"]*"', "", "".join(head[-1:]))
    separator = told[1] if told else next((one for one in outside if one in _SEPARATORS), ",")
    rows = chain((_SEPARATOR_TOLD.sub("\n", one) for one in head), lines)
    behind = re.compile(rf'" +(?=[{re.escape(separator)}\r\n]|$)')
    rows = (behind.sub('"', row) if '" ' in row else row for row in rows)
    csv.field_size_limit(_LINE_BYTES)  # where an image is one cell, that is to be said of it
    reader = csv.reader(rows, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise UserError(
                f'{name}, line {start}: a cell begins with a quote (") and does not end with one: '
                f"{error}",
                'close it, or take it away; write a quote inside of a cell as in "5"" disk"',
            ) from None
        if row is None:
            return
        yield row
