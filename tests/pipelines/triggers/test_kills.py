"""Several processes tick one watch while they are killed: one run, record and release a snapshot."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.runs.records import list_runs
from pipelines.runs.registry import registered
from pipelines.sources.snapshot import DATA
from pipelines.stores.opening import open_store
from pipelines.triggers.launches import launches
from pipelines.triggers.settings import WatchSettings
from tests.pipelines.triggers.worlds import World

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("SLIMLINE_TRIGGER_KILLS", "8"))
"""For each number of processes and each store; ``make faults`` asks for hundreds."""


def begun(uri: str, seed: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pipelines.triggers.racing", uri, str(seed)],
        cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("processes", [2, 3])
def test_whatever_is_killed_each_snapshot_has_one_run_that_counts(world, processes):
    trigger = world.trigger(watch=WatchSettings(quiet_s=0), since="2026-01-01T00:00:00+00:00")
    draw = random.Random(processes)
    racers = [begun(world.store.uri, number) for number in range(processes)]
    snapshots = 1
    try:
        for kill in range(KILLS):
            time.sleep(draw.uniform(0.2, 1.2))
            victim = draw.randrange(processes)
            racers[victim].send_signal(
                draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
            )
            if draw.random() < 0.5:
                world.upload("a", 1, begin=1000 + kill)
                snapshots += 1
            time.sleep(draw.uniform(0, 1.5))  # some are stopped for longer than a lease
            racers[victim].send_signal(signal.SIGCONT)
            if racers[victim].poll() is not None:
                racers[victim] = begun(world.store.uri, 100 + kill)
        settled(world, trigger)
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    known = launches(world.store, trigger)
    runs = [attempt.run for launch in known.values() for attempt in launch.attempts]
    records = {record.run: record for record in list_runs(world.store)}
    assert len(runs) == len(set(runs))
    assert set(records) <= set(runs)
    assert 1 <= len(known) <= snapshots
    done = [run for run, record in records.items() if record.outcome == "done"]
    trained = [records[run].sources[DATA] for run in done]
    assert len(trained) == len(set(trained))  # each snapshot has one run that ended well
    assert all(
        records[one.latest.run].sources[DATA] == key
        for key, one in known.items()
        if one.state(2) == "done"
    )
    released = [run for run, _ in registered(world.store, "tiny")]
    assert len(released) == len(set(released))
    assert set(done) <= set(released)


def settled(world: World, trigger, limit_s: float = 60) -> None:
    """Wait until the data as it is now was trained on."""
    from pipelines.sources.snapshot import snapshot

    wanted = snapshot(str(world.data)).digest
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        launch = launches(open_store(world.store.uri), trigger).get(wanted)
        if launch and launch.state(trigger.retries) == "done":
            return
        time.sleep(0.2)
    pytest.fail(f"{wanted} was not trained on: {launches(world.store, trigger)}")
