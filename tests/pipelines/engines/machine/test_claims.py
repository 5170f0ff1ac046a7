"""Engines on one store run a step once."""

import signal
import socket
import threading
import time

from pipelines.disk.scratch import scratch_folder
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.runs.cache import Cache
from pipelines.runs.live.events import StepDone, StepSkipped, StepWaiting
from pipelines.stores.opening import open_store
from tests.pipelines.engines.claiming import (
    LEASE_S,
    QuickRunner,
    engines,
    entries,
    executions,
    kill_loop,
    quick_graph,
)

SEED, KILLS = 10, 8


def wait_for(condition, at_most_s=30.0):
    deadline = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def submit(uri, folder, name, steps, seconds=0.05, taken=None):
    with scratch_folder(folder / f"scratch-{name}", f"{name}-run") as work:
        cache = Cache(open_store(uri, cache=folder / "cache"), work)
        runner = QuickRunner(folder / "executions", seconds, name)
        scheduler = Scheduler(runner, cache, work, lease_s=LEASE_S)
        events = []
        for event in scheduler.submit(quick_graph(steps), {}, f"{name}-run"):
            events.append(event)
            if taken:
                taken(scheduler, event)
        return events


def test_the_one_that_waits_says_for_whom_and_takes_the_result(store_uri, tmp_path):
    uri, folder = store_uri("s"), tmp_path / "work"
    with engines(uri, folder, "one") as (one,):
        one.start(["slow"], 2.5 * LEASE_S)  # renewed meanwhile, or it would be taken over
        wait_for(lambda: executions(folder))
        events = submit(uri, folder, "two", ["slow", "own"])
        assert one.ended()[0] == 0
    assert executions(folder) == {"slow": 1, "own": 1}
    (waiting,) = [event for event in events if isinstance(event, StepWaiting)]
    assert waiting.what.startswith(
        f"engine one on host {socket.gethostname()}, which runs this step"
    )
    done = {event.step: event for event in events if isinstance(event, StepDone)}
    assert done["slow"].cached
    assert done["slow"].record.startswith("runs/one-1/")
    assert done["slow"].wall_s > LEASE_S
    assert not done["own"].cached, "waiting for one step kept the engine from another"
    assert list(events).index(done["own"]) < list(events).index(done["slow"])
    assert list(open_store(uri).list("claims/")) == []


def test_an_engine_that_was_stopped_publishes_no_second_result(store_uri, tmp_path):
    uri, folder = store_uri("s"), tmp_path / "work"
    with engines(uri, folder, "one") as (one,):
        one.start(["slow"], 0.2)
        wait_for(lambda: executions(folder))
        one.kill(signal.SIGSTOP)
        began = time.monotonic()
        events = submit(uri, folder, "two", ["slow"])
        assert LEASE_S <= time.monotonic() - began < LEASE_S + 30
        first = entries(open_store(uri))
        one.kill(signal.SIGCONT)
        code, said = one.ended()
    assert code == 0
    (done,) = [event for event in events if isinstance(event, StepDone)]
    (adopted,) = [event for event in said if event["kind"] == "StepDone"]
    assert adopted["record"] == done.record
    assert adopted["outputs"] == done.outputs
    assert entries(open_store(uri)) == first
    assert executions(folder) == {"slow": 2}
    assert list(open_store(uri).list("claims/")) == []


def test_a_step_that_failed_elsewhere_is_run_here(store_uri, tmp_path):
    uri, folder = store_uri("s"), tmp_path / "work"
    with engines(uri, folder, "one") as (one,):
        one.start(["slow"], 60.0)
        wait_for(lambda: executions(folder))
        threading.Timer(0.5, one.kill).start()
        events = submit(uri, folder, "two", ["slow"])
        assert one.ended()[0] == -signal.SIGKILL
    assert isinstance(events[0], StepWaiting)
    assert not events[-1].cached


def test_waiting_ends_when_the_run_is_cancelled(store_uri, tmp_path):
    uri, folder = store_uri("s"), tmp_path / "work"
    with engines(uri, folder, "one") as (one,):
        one.start(["slow"], 60.0)
        wait_for(lambda: executions(folder))

        def cancel(scheduler, event):
            if isinstance(event, StepWaiting):
                scheduler.cancel()

        events = submit(uri, folder, "two", ["slow"], taken=cancel)
    assert isinstance(events[-1], StepSkipped)
    assert (events[-1].step, events[-1].because) == ("slow", "the run was cancelled")
    assert executions(folder) == {"slow": 1}


def test_steps_of_one_graph_with_one_key_run_once(store_uri, tmp_path):
    uri, folder = store_uri("s"), tmp_path / "work"
    folder.mkdir()
    events = submit(uri, folder, "one", ["a", "b"])
    again = submit(uri, folder, "two", ["a", "b"])
    assert all(event.cached for event in again)
    assert executions(folder) == {"a": 1, "b": 1}
    assert len([event for event in events if isinstance(event, StepDone)]) == 2


def test_who_finds_all_results_claims_nothing(tmp_path):
    """So that a store that cannot be written serves results."""
    uri, folder = str(tmp_path / "store"), tmp_path / "work"
    folder.mkdir()
    submit(uri, folder, "one", ["a"])
    before = set((tmp_path / "store").rglob("*"))
    claims = tmp_path / "store" / "claims"
    claims.rmdir()
    claims.touch()  # no claim can be made now, also by root
    events = submit(uri, folder, "two", ["a"])
    assert [event.cached for event in events] == [True]
    assert set((tmp_path / "store").rglob("*")) == before
    assert claims.stat().st_size == 0


def test_engines_are_killed_and_stopped_at_random_moments(store_uri, tmp_path, capsys):
    table = kill_loop(store_uri("s"), tmp_path / "work", KILLS, SEED)
    with capsys.disabled():
        print("\n" + "\n".join(table))
