"""Standard streams that are closed, full, or of an encoding that lacks a letter."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.pipelines.cli.command_line import ROOT, TINY


def test_a_reader_that_has_had_enough(tmp_path: Path) -> None:
    (tmp_path / "slimline-store").mkdir()
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "doctor"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert process.stderr == ""
    assert process.returncode == 141


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [
        (("doctor",), ""),
        (("doctor",), "1"),
        (("show", "x", "--json"), ""),
        (("show", "x" * 100_000, "--json"), ""),  # more than a buffer holds
        (("--help",), ""),
    ],
)
def test_standard_output_that_is_full(
    tmp_path: Path, command: Sequence[str], unbuffered: str
) -> None:
    (tmp_path / "slimline-store").mkdir()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-2:] == [
        "error: standard output cannot be written: No space left on device",
        "fix: make room where it goes, or send it elsewhere",
    ]


def test_standard_streams_that_are_closed(tmp_path: Path) -> None:
    program = f"{sys.executable} -m pipelines.cli explain {TINY} --store st <&- >&- 2>&-"
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0
    database = (tmp_path / ".cache/slimline/checksums.sqlite").read_bytes()
    assert database.startswith(b"SQLite format 3")


def test_text_that_standard_output_cannot_encode(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    for command in (("init", "ü.yaml"), ("explain", "ä.yaml", "--json")):
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr
    assert "ä.yaml" in json.loads(done.stdout)["error"]["what"]
