"""Csv files as text: a small packed file cannot fill the memory."""

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
