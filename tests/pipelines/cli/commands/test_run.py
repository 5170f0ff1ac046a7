"""`slimline run` seen from outside, and how `show`, `runs`, `logs` and `explain` look at it after."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pipelines.cli.command_line import ROOT, TINY, slimline


def test_ctrl_c_ends_a_run_in_order(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipelines.cli",
            "run",
            str(TINY),
            "--store",
            str(tmp_path / "st"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "started" in line:
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "cancelled; what is done is kept, go on with: slimline run" in said
    assert "Traceback" not in said
    listed = slimline("runs", "--store", tmp_path / "st", "--json", check=0)
    assert [run["outcome"] for run in json.loads(listed.stdout)["runs"]] == ["cancelled"]


# a run, seen from outside -----------------------------------------------------------------------


def written(path: Path, **changes: object) -> Path:
    """Write the smallest configuration that trains only once, with these changes."""
    plain = yaml.safe_load(TINY.read_text())
    plain["variants"] = {"teacher-int8": [{"quantize": {"scheme": "int8"}}]}
    path.write_text(yaml.safe_dump({**plain, **changes}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("cli")
    path = written(folder / "tiny.yaml")
    done = slimline("run", path, "--store", "st", "--json", cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    return folder, done


def test_run_prints_one_document(ran: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = ran
    document = json.loads(done.stdout)
    assert document["outcome"] == "done"
    # On a busy machine no measurement is believed, so nothing can win: an answer all the same.
    assert done.returncode == (0 if document["winner"] else 3)
    assert document["winner"] in ("teacher-int8", None)
    assert [variant["name"] for variant in document["variants"]] == ["teacher", "teacher-int8"]
    assert document["sealed"]["times_opened"] == 1
    released = folder / document["exported"]
    assert (released / "report.html").is_file()
    assert (released / "model.tflite").is_file() == (document["winner"] is not None)
    assert " done " in done.stderr, "progress goes to standard error"
    shown = json.loads(slimline("show", "--store", "st", "--json", cwd=folder, check=0).stdout)
    assert shown == {**document, "exported": None}


def test_what_was_run_can_be_looked_at(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = ran
    document = json.loads(done.stdout)
    run = document["run"]
    assert run in slimline("runs", "--store", "st", cwd=folder, check=0).stdout
    listed = json.loads(slimline("runs", "--store", "st", "--json", cwd=folder, check=0).stdout)
    assert [item["run"] for item in listed["runs"]] == [run]
    text = slimline("show", run, "--store", "st", cwd=folder, check=0).stdout
    assert f"winner: {document['winner'] or document['reason']}" in text
    for variant in document["variants"]:
        assert variant["name"] in text
    slimline("logs", run, "train", "--store", "st", cwd=folder, check=0)
    done = slimline("logs", run, "trian", "--store", "st", cwd=folder, check=2)
    assert "did you mean 'train'?" in done.stderr
    done = slimline("show", run[:-1], "--store", "st", cwd=folder, check=2)
    assert f"did you mean '{run}'?" in done.stderr


def test_impossible_budgets_are_a_result_with_code_3(
    ran: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = ran
    budgets = {**yaml.safe_load(TINY.read_text())["budgets"], "size_mb": 0.000001}
    path = written(tmp_path / "impossible.yaml", budgets=budgets)
    explained = json.loads(
        slimline("explain", path, "--store", "st", "--json", cwd=folder, check=0).stdout
    )
    states = {item["step"]: item for item in explained["steps"]}
    assert states["train"]["state"] == "cached"
    assert states["select"]["changed"] == ["parameters.size_mb"]
    assert states["publish"]["upstream"] == "select"
    done = slimline("run", path, "--store", "st", "--output", tmp_path / "out", cwd=folder, check=3)
    assert "no winner" in done.stdout
    assert "(missed by " in done.stdout
