"""What is said of a run while it goes on, and of one whose engine was killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pipelines.runs.live.progress import read_progress
from pipelines.stores.opening import open_store
from tests.pipelines.cli.command_line import ROOT, slimline, written

_COMMAND = (sys.executable, "-m", "pipelines.cli")


def started(folder, *arguments, **options):
    return subprocess.Popen(
        [*_COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def running(store):
    """The run, and which of its steps have told how far they are, as the store says."""
    for path in (store / "runs").glob("*"):
        if progress := read_progress(open_store(str(store)), path.name):
            steps = [
                name for name, step in progress.steps.items() if "epoch" in step.get("progress", ())
            ]
            return path.name, steps
    return "", []


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that was asked about while it went on and then killed: its folder, and the answers."""
    folder = tmp_path_factory.mktemp("killed")
    # An epoch is a fraction of a second: the run would take far longer than this test.
    teacher = {"backbone": "conv", "alpha": 0.25, "embedding": 8, "epochs": 1000, "patience": None}
    written(folder / "long.yaml", name="long", store="st", teacher=teacher)
    with started(folder, "run", "long.yaml") as engine:
        end = time.monotonic() + 150
        while "train" not in running(folder / "st")[1]:
            assert engine.poll() is None, engine.communicate()
            assert time.monotonic() < end
            time.sleep(0.2)
        run, _ = running(folder / "st")
        follow = started(folder, "logs", "train", "--follow", "--store", "st")
        assert follow.stdout
        first = ""
        while "epoch 1 of 1000" not in first:
            first += follow.stdout.readline()
        answers = {
            "log": slimline("logs", "latest", "train", "--store", "st", cwd=folder, check=0).stdout,
            "runs": slimline("runs", "--store", "st", cwd=folder, check=0).stdout,
            "show": slimline("show", "--store", "st", cwd=folder, check=0).stdout,
            "alive": follow.poll() is None,
        }
        os.kill(engine.pid, signal.SIGKILL)
        # What has been read ahead of a line ``communicate`` would leave out.
        rest, errors = follow.stdout.read(), follow.stderr.read()
        assert follow.wait(60) == 0, errors
        answers |= {"followed": first + rest, "plain": engine.communicate()[1]}
    return folder, run, answers


def test_a_run_is_said_to_run(killed):
    _, run, answers = killed
    (line,) = [line for line in answers["runs"].splitlines() if run in line]
    assert "running" in line
    assert " 1 of " in line
    assert "running: train" in answers["show"]
    assert " waiting" in answers["show"]


def test_the_log_of_a_step_that_runs(killed):
    _, _, answers = killed
    assert "epoch 1 of 1000" in answers["log"]
    assert answers["alive"]
    assert answers["followed"].startswith(answers["log"])
    assert answers["followed"].count("\n") > answers["log"].count("\n")


def test_a_killed_engine_is_not_running(killed):
    folder, run, _ = killed
    (line,) = [
        line
        for line in slimline("runs", "--store", "st", cwd=folder, check=0).stdout.splitlines()
        if run in line
    ]
    assert "broken (killed)" in line
    shown = slimline("show", run, "--store", "st", cwd=folder, check=0).stdout
    assert "killed: train, epoch " in shown
    assert "its engine was killed, last seen at" in shown
    document = json.loads(slimline("show", "--json", "--store", "st", cwd=folder, check=0).stdout)
    assert document["states"]["ingest"] == "done"
    assert document["states"]["train"] == "killed"
    assert document["states"]["publish"] == "skipped"


def test_the_next_run_keeps_what_was_left(killed):
    folder, run, answers = killed
    written(folder / "bad.yaml", name="bad", store="st", budgets={"metric": "auc", "drop": 1,
            "size_mb": 1}, limits={"ingest": {"minutes": 0.0001}})  # fmt: skip
    slimline("run", "bad.yaml", cwd=folder)
    record = json.loads((folder / "st" / "runs" / run / "run.json").read_text())
    assert record["outcome"] == "broken"
    assert (folder / "st" / record["steps"]["train"]["record"]).is_file()
    log = slimline("logs", run, "train", "--store", "st", cwd=folder, check=0).stdout
    assert log.startswith(answers["log"])
