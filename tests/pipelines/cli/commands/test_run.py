"""`slimline run` seen from outside."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import yaml

from tests.pipelines.cli.command_line import ROOT, TINY, slimline, written

Ran: TypeAlias = tuple[Path, subprocess.CompletedProcess[str]]


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


def test_run_prints_one_document(ran: Ran) -> None:
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


def test_impossible_budgets_are_a_result_with_code_3(ran: Ran, tmp_path: Path) -> None:
    folder, _ = ran
    budgets = {**yaml.safe_load(TINY.read_text())["budgets"], "size_mb": 0.000001}
    path = written(tmp_path / "impossible.yaml", budgets=budgets)
    done = slimline("run", path, "--store", "st", "--output", tmp_path / "out", cwd=folder, check=3)
    assert "no winner" in done.stdout
    assert "(missed by " in done.stdout
