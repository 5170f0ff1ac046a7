"""A call that fails once is said with its fix; one that cannot be the machine's fault is a bug."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.disk.files import fault_of
from tests.pipelines.cli.command_line import ROOT

PROGRAM = """
import sys
from pipelines.cli.main import main
from tests.faults.calls import Places
place, number, *arguments = sys.argv[1:]
places = Places(place or None, int(number))
places.watch()
code = main(arguments)
print("passed:", *places.passed, sep="\\n")
sys.exit(code)
"""


def run(folder: Path, place: str, number: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, place, str(number), "runs", "--store", "store"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_machine_lacks_is_told_from_a_bug() -> None:
    told = fault_of(OSError(errno.EIO, "", "/some/where"))
    assert told
    assert told.what == "/some/where: the disk gave an input/output error"
    assert fault_of(OSError(errno.EMFILE, ""))
    assert fault_of(FileNotFoundError(errno.ENOENT, "", "of ours")) is None


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_call_that_fails_is_said(number: int, tmp_path: Path) -> None:
    (tmp_path / "store" / "runs").mkdir(parents=True)
    whole = run(tmp_path, "", 0)
    (place,) = [
        line for line in whole.stdout.splitlines()
        if line.startswith("pipelines/stores/directory.py") and line.endswith(" scandir")
    ]  # fmt: skip
    failed = run(tmp_path, place, number)
    assert failed.returncode == 2, failed.stderr
    assert failed.stderr.startswith("error: ")
    assert "\nfix: " in failed.stderr
    assert "Traceback" not in failed.stderr
    assert run(tmp_path, "", 0).returncode == whole.returncode
