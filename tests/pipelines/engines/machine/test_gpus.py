"""One step a GPU: which there are, who has which, and what a step without one is told."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.engines.machine.containers import gpu_requests
from pipelines.engines.machine.gpus import Gpu, gpus_here, one_of
from pipelines.engines.machine.runner import EXITED, Ended, Job
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Step
from pipelines.runs.live.events import StepDone, StepWaiting
from pipelines.stores.opening import open_store
from tests.pipelines.engines.machine.test_execution import leave_all, write_statement

TWO = "GPU-11111111-aaaa-bbbb-cccc-000000000001, NVIDIA H100\nGPU-2b, NVIDIA H100\n"
FIRST, SECOND = "GPU-11111111-aaaa-bbbb-cccc-000000000001", "GPU-2b"


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Puts a program in the place of NVIDIA's nvidia-smi, which prints what it is given."""

    def install(printed, code=0):
        folder = tmp_path / "driver"
        folder.mkdir(exist_ok=True)
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nprintf '%s' '{printed}'\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir(mode=0o700)
    return install


def test_the_driver_says_which_there_are(driver):
    driver(TWO)
    assert gpus_here() == (Gpu(FIRST, "NVIDIA H100"), Gpu(SECOND, "NVIDIA H100"))


@pytest.mark.parametrize(
    ("printed", "code", "reason"),
    [
        ("No devices were found\n", 0, "nvidia-smi says: No devices were found"),
        ("NVIDIA-SMI has failed because it could not communicate\n", 9, "could not communicate"),
        ("", 0, "nvidia-smi says: nothing"),
        (None, 0, "there is no nvidia-smi"),
    ],
)
def test_none_is_said_with_the_reason(printed, code, reason, driver, monkeypatch, tmp_path):
    if printed is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        driver(printed, code)
    with pytest.raises(UserError, match=reason) as caught:
        gpus_here()
    assert "remove gpu from the limits" in caught.value.fix


class Trainings:
    """A runner that notes which step had which GPU, and beside which others."""

    name = "local"

    def __init__(self, seconds=0.2):
        self.seconds = seconds
        self.had, self.beside = {}, []
        self._now, self._lock = set(), threading.Lock()
        self.cancelled = False

    def prepare(self, graph):
        pass

    def environment(self, step):
        return "0" * 64

    def image_digest(self, step):
        return None

    def run(self, job):
        with self._lock:
            self._now.add(job.step.name)
            self.beside.append(frozenset(self._now))
            self.had[job.step.name] = job.gpu
        time.sleep(self.seconds)
        (job.folder / "out").mkdir()
        leave_all(job.folder)
        write_statement(job.folder, job.step)
        with self._lock:
            self._now.remove(job.step.name)
        return Ended(0, EXITED, 0)

    def cancel(self):
        self.cancelled = True

    def close(self):
        pass


def training(name, gpu=1):
    return Step(name, "publish", {}, {"name": name}, 0.1, 60.0, gpu=gpu)


def events_of(tmp_path, runner, *steps):
    work = tmp_path / "work"
    work.mkdir()
    cache = Cache(open_store(str(tmp_path / "store")), tmp_path / "scratch")
    return list(Scheduler(runner, cache, work).submit(Graph("g", steps, {}), {}, "a-run"))


def test_steps_take_turns_on_the_only_gpu_while_others_run_on_the_cpu(driver, tmp_path):
    driver(f"{FIRST}, NVIDIA L4\n")
    runner = Trainings()
    events = events_of(tmp_path, runner, training("a"), training("b"), training("c", gpu=0))
    assert {e.step for e in events if isinstance(e, StepDone)} == {"a", "b", "c"}
    assert runner.had == {"a": FIRST, "b": FIRST, "c": None}
    assert not any({"a", "b"} <= together for together in runner.beside)
    waits = [e for e in events if isinstance(e, StepWaiting) and "GPU" in e.what]
    assert next((e.step, e.what) for e in waits) == ("b", "a GPU: a has the only one")


def test_each_of_two_gpus_has_one_step(driver, tmp_path):
    driver(TWO)
    runner = Trainings()
    events_of(tmp_path, runner, *(training(name) for name in "abcd"))
    assert set(runner.had.values()) <= {FIRST, SECOND}
    assert max(len(together) for together in runner.beside) <= 2
    assert set(runner.had) == set("abcd")


def test_without_a_gpu_nothing_begins_to_train(driver, tmp_path):
    driver("No devices were found\n")
    runner = Trainings()
    with pytest.raises(UserError, match="this machine shows none"):
        events_of(tmp_path, runner, training("a"))
    assert (runner.had, runner.cancelled) == ({}, True)
    # The fix: the same step without gpu.
    (tmp_path / "again").mkdir()
    events_of(tmp_path / "again", runner, training("a", gpu=0))
    assert runner.had == {"a": None}


def test_a_gpu_that_another_process_has_is_waited_for(driver, tmp_path):
    driver(TWO)
    gpu = Gpu(FIRST, "NVIDIA H100")
    program = (
        "import threading, time; from pipelines.engines.machine.gpus import Gpu, one_of\n"
        f"with one_of([Gpu({FIRST!r}, '')], cancelled=threading.Event(), waits_for=print):\n"
        "    print('has it', flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[4]
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root
    )
    try:
        assert other.stdout.readline() == "has it\n"
        cancelled, told = threading.Event(), []

        def wait(what):
            told.append(what)
            cancelled.set()

        with one_of([gpu], cancelled=cancelled, waits_for=wait) as found:
            assert found is None
        assert told == ["a GPU: another run of this user has it"]
        both = [gpu, Gpu(SECOND, "")]
        with one_of(both, cancelled=threading.Event(), waits_for=told.append) as found:
            assert found.device == SECOND
    finally:
        other.kill()
        other.wait()
    with one_of([gpu], cancelled=threading.Event(), waits_for=told.append) as found:
        assert found == gpu, "a kill gives it back"


def test_a_container_is_given_this_gpu_and_no_other(tmp_path):
    job = Job(training("a"), tmp_path, (), tmp_path / "input.json", tmp_path / "log", gpu=SECOND)
    (request,) = gpu_requests(job)
    asked = json.loads(json.dumps(request))
    assert (asked["Driver"], asked["DeviceIDs"], asked["Capabilities"]) == (
        "nvidia", [SECOND], [["gpu"]],
    )  # fmt: skip
    assert job.arguments("0")[:3] == ["publish", "--gpu", "0"]
    without = Job(training("a", 0), tmp_path, (), tmp_path / "input.json", tmp_path / "log")
    assert gpu_requests(without) == []
    assert "--gpu" not in without.arguments(None)
