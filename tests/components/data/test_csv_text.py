"""Csv files as text: no row is lost, and a small packed file cannot fill the memory."""

from __future__ import annotations

import gzip
import subprocess
import tracemalloc
from collections import deque
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.data.csv_text import UNPACKED_BYTES_LEAST, UNPACKED_TIMES_MOST, rows_of

_ROW = b"x" * 60_000 + b",label\n"
_ROWS = UNPACKED_BYTES_LEAST // len(_ROW) + 1


@pytest.mark.parametrize("told", [True, False], ids=["its end says so", "its end says less"])
def test_a_packed_file_that_unpacks_to_far_more_is_refused(tmp_path: Path, told: bool) -> None:
    path = tmp_path / "my data.csv.gz"
    packed = gzip.compress(_ROW * _ROWS, compresslevel=6)
    path.write_bytes(packed + (b"" if told else gzip.compress(_ROW)))  # several may follow
    assert path.stat().st_size * UNPACKED_TIMES_MOST < UNPACKED_BYTES_LEAST
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"my data.csv.gz unpacks to more than 67,108,864") as e:
            deque(rows_of(path, path.name), maxlen=0)
        assert tracemalloc.get_traced_memory()[1] < 16e6
    finally:
        tracemalloc.stop()
    subprocess.run(e.value.fix.partition(": ")[2], shell=True, check=True, cwd=tmp_path)
    unpacked = tmp_path / "unpacked.csv"
    assert sum(1 for _ in rows_of(unpacked, unpacked.name)) == _ROWS + (not told)


def test_what_is_small_or_barely_packed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(_ROW * 100))
    assert sum(1 for _ in rows_of(path, path.name)) == 100


def test_a_line_without_end_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b"0," * (1 << 24))
    with pytest.raises(UserError, match="line without end") as caught:
        list(rows_of(path, path.name))
    assert "write one image a row" in caught.value.fix
    path.write_bytes(b"0,1,a\n" * 3)
    assert len(list(rows_of(path, path.name))) == 3


READ = [["path", "label"], ["1.png", "ant, small"], ["2.png", 'b"e']]


@pytest.mark.parametrize(
    "text",
    [
        'path,label\n1.png,"ant, small"\n2.png,b"e\n',
        'path;label\r\n1.png;"ant, small"\r\n\r\n2.png;"b""e"\r\n',
        '"path", "label"\n"1.png", "ant, small"\n"2.png", "b""e"\n',
        '"path" ,"label" \n"1.png" , "ant, small"\n"2.png","b""e" \n',
        'path,label\r1.png,"ant, small"\r\r2.png,b"e\r',
        'path\tlabel\r1.png\t"ant, small"\r2.png\tb"e',
        'sep=;\npath;label\n1.png;ant, small\n2.png;b"e\n',
        '\n\npath;label\n1.png;ant, small\n2.png;b"e\n',
    ],
    ids=["plain", "semicolons", "blanks", "quoted blanks", "old Mac", "tabs", "Excel", "empty row"],
)
def test_rows_are_read_however_they_were_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.csv"
    for start in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(start + text.encode())
        assert list(rows_of(path, path.name)) == READ


def test_a_separator_inside_of_a_quoted_title_is_none(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text('"size, mm";path\n"1,5";1.png\n')
    assert list(rows_of(path, path.name)) == [["size, mm", "path"], ["1,5", "1.png"]]


def test_a_quoted_cell_may_hold_lines(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text('path,note\n1.png,"one\ntwo" \n2.png,three\n')
    assert list(rows_of(path, path.name))[1:] == [["1.png", "one\ntwo"], ["2.png", "three"]]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('3.png,"cat', '3.png,"cat"'),
        ('"3.png,cat', '"3.png",cat'),
        ('3.png,"c" at', '3.png,"""c"" at"'),
    ],
)
@pytest.mark.parametrize("quoted", [False, True], ids=["the only quotes", "among quotes"])
def test_a_quote_that_would_swallow_rows_is_refused_with_its_line(
    tmp_path: Path, wrong: str, right: str, quoted: bool
) -> None:
    other = '{0}.png,"ant"' if quoted else "{0}.png,ant"
    lines = ["sep=,", "path,label", *(other.format(number) for number in range(8))]
    lines[4] = wrong
    path = tmp_path / "d.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"d\.csv, line 5: ") as caught:
        list(rows_of(path, path.name))
    assert 'close it, or take it away; write a quote inside of a cell as in "5"" disk"' in (
        caught.value.fix
    )
    lines[4] = right
    path.write_text("\n".join(lines))
    assert len(list(rows_of(path, path.name))) == len(lines) - 1


def test_a_cell_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    pixels = " ".join(["255"] * 100_000)
    path.write_text(f"label,pixels\n1,{pixels}\n")
    assert list(rows_of(path, path.name)) == [["label", "pixels"], ["1", pixels]]
