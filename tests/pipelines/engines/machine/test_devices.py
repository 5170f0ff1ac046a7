"""Steps that measure on devices: beside what, in turns, and what one that goes away takes along."""

import json
import threading
import time

import pytest

from components.contract.execution import USER_FAULT
from pipelines.engines.machine.admission import Admission
from pipelines.engines.machine.reaching import users_environment
from pipelines.engines.machine.runner import EXITED, Ended
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Step
from pipelines.runs.keys import ingredients_of
from pipelines.runs.live.events import StepDone, StepFailed, StepSkipped, StepWaiting
from pipelines.stores.opening import open_store
from tests.pipelines.engines.machine.test_execution import leave_all, write_statement

SEEN = {"board": {"cpu": "A76"}, "s21": {"cpu": "X1"}}


def measuring(name, device, memory_gb=0.1, occupies=None):
    parameters = {"name": name, "threads": 4, "device": device}
    return Step(name, "publish", {}, parameters, memory_gb, 60.0, occupies or device)


def training(name, threads=1):
    return Step(name, "publish", {}, {"name": name, "threads": threads}, 0.1, 60.0)


class Measurements:
    """Runs steps for a moment each, and remembers which ran together."""

    name = "local"

    def __init__(self, lost=()):
        self.lost = lost
        self.now: set[str] = set()
        self.beside: list[set[str]] = []
        self._lock = threading.Lock()

    def prepare(self, graph):
        pass

    def environment(self, step):
        return "0" * 64

    def image_digest(self, step):
        return None

    def run(self, job):
        name = job.step.name
        with self._lock:
            self.now.add(name)
            self.beside.append(set(self.now))
        time.sleep(0.3)
        with self._lock:
            self.now.remove(name)
        if name in self.lost:
            what = f"{job.step.device} went away"
            stated = {"outcome": {"result": "user fault", "what": what, "fix": "plug it"}}
            (job.folder / "statement.json").write_text(json.dumps(stated))
            return Ended(USER_FAULT, EXITED, 0)
        (job.folder / "out").mkdir()
        leave_all(job.folder)
        write_statement(job.folder, job.step)
        return Ended(0, EXITED, 0)

    def cancel(self):
        pass

    def close(self):
        pass


@pytest.fixture
def events_of(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir(mode=0o700)

    def events_of(runner, *steps):
        cache = Cache(open_store(str(tmp_path / "store")), tmp_path / "scratch")
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        scheduler = Scheduler(runner, cache, work, devices=SEEN)
        return list(scheduler.submit(Graph("g", steps, {}), {}, "a-run"))

    return events_of


def together(runner, *names):
    return any(set(names) <= beside for beside in runner.beside)


def test_devices_measure_beside_each_other_and_beside_training(events_of):
    runner = Measurements()
    steps = (measuring("a", "board"), measuring("b", "board"), measuring("c", "s21"), training("d"))
    events = events_of(runner, *steps)
    assert {event.step for event in events if isinstance(event, StepDone)} == set("abcd")
    assert together(runner, "a", "c", "d")
    assert not together(runner, "a", "b")
    waits = {(event.step, event.what) for event in events if isinstance(event, StepWaiting)}
    assert ("b", "board: a runs on it") in waits


def test_a_measurement_of_this_machine_has_it_alone(events_of):
    runner = Measurements()
    steps = (measuring("a", "board"), measuring("here", "host"), training("d"))
    events = events_of(runner, *steps)
    assert {event.step for event in events if isinstance(event, StepDone)} == {"a", "here", "d"}
    assert {"here"} in runner.beside
    assert not together(runner, "a", "here")


def test_a_device_that_goes_away_stops_its_own_steps_alone(events_of):
    runner = Measurements(lost=("a",))
    steps = (
        measuring("a", "board"), measuring("b", "board"), measuring("c", "s21"),
        measuring("e", "s21"), training("f", 1000), training("g", 1000),
    )  # fmt: skip
    events = events_of(runner, *steps)
    assert {event.step for event in events if isinstance(event, StepDone)} == set("cefg")
    (failed,) = [event for event in events if isinstance(event, StepFailed)]
    assert (failed.step, failed.what, failed.fix) == ("a", "a: board went away", "plug it")
    (skipped,) = [event for event in events if isinstance(event, StepSkipped)]
    assert (skipped.step, skipped.because) == ("b", "a failed")
    again = Measurements()
    events = events_of(again, *steps)
    ran = {event.step for event in events if isinstance(event, StepDone) and not event.cached}
    assert ran == {"a", "b"}, "running again resumes"


def test_it_takes_no_core_here_but_memory():
    room = Admission()
    room.cores = 1
    assert room.enter(training("d"))
    assert room.enter(measuring("a", "board"))
    assert not room.enter(measuring("two", "s21", memory_gb=1e6))
    assert not room.enter(measuring("here", "host"))
    assert not room.enter(measuring("b", "cpu-of-board", occupies="board"))
    room.leave("a")
    assert room.enter(measuring("b", "cpu-of-board", occupies="board"))


def test_the_key_holds_the_fingerprint_of_the_device():
    step = measuring("a", "board")
    before = ingredients_of(step, {}, "0", SEEN)
    assert before.device == {"cpu": "A76"}
    updated = ingredients_of(step, {}, "0", SEEN | {"board": {"cpu": "A76", "kernel": "7"}})
    assert updated.key != before.key
    assert [change.what for change in updated.changed_since(before.to_json())] == ["device"]
    elsewhere = ingredients_of(step, {}, "0", SEEN | {"s21": {}})
    assert elsewhere.key == before.key, "of other devices it knows nothing"
    here = ingredients_of(measuring("h", "host"), {}, "0", SEEN)
    assert here.device
    assert here.device["runtime"]
    assert ingredients_of(training("t"), {}, "0", SEEN).device is None


def test_what_reaches_a_device_knows_the_keys_of_the_user_and_nothing_else_does(monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "5038")
    monkeypatch.setenv("https_proxy", "http://proxy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("SLIMLINE_DEBIAN_MIRRORS", "http://mirror.lan/debian")
    told = users_environment(measuring("a", "board"))
    assert told["SLIMLINE_DEBIAN_MIRRORS"] == "http://mirror.lan/debian"
    assert told["SSH_AUTH_SOCK"] == "/run/agent"
    assert told["ANDROID_ADB_SERVER_PORT"] == "5038"
    assert told["https_proxy"] == "http://proxy"
    assert "HOME" in told
    assert "AWS_SECRET_ACCESS_KEY" not in told
    assert users_environment(measuring("c", "chrome", occupies="host")).keys() == told.keys()
    assert users_environment(measuring("h", "host")) == {}
    assert users_environment(training("t")) == {}
