"""Each tool has an environment of its own, and what fails says so with its own words."""

import sys
from pathlib import Path

import pytest

from tests.benchmarks.peers.conftest import Installing
from tests.benchmarks.peers.environments import PeerFailedError, environment, run


def test_an_environment_holds_what_was_asked_for_and_is_made_once(
    installing: Installing, tmp_path: Path
) -> None:
    made = environment(installing.root, installing.requirements)
    assert made.versions == {"standin": "1.0"}
    printed = run(
        [str(made.python), "-c", "import standin; print(standin.__file__)"], tmp_path / "log"
    )
    assert printed.startswith(str(installing.root))
    began = {path: path.stat().st_mtime_ns for path in installing.root.rglob("*")}
    again = environment(installing.root, installing.requirements[::-1])
    assert again == made, "equal requirements share one"
    assert {path: path.stat().st_mtime_ns for path in installing.root.rglob("*")} == began


def test_a_program_sees_nothing_of_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    printed = run([sys.executable, "-c", "import os; print(os.environ.get('PYTHONPATH'))"], tmp_path / "log")  # fmt: skip
    assert printed == "None\n"


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    program = tmp_path / "tool.py"
    program.write_text("raise SystemExit('this network is not for me')")
    with pytest.raises(PeerFailedError, match=r"tool.py ended with code 1: this network is not"):
        run([sys.executable, str(program), "--inputs", "x"], tmp_path / "log")
    program.write_text("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(PeerFailedError, match=r"tool.py ended with code -9: it said nothing"):
        run([sys.executable, str(program)], tmp_path / "log")
    assert "not for me" in (tmp_path / "log").read_text()
