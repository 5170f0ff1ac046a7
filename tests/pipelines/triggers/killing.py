"""Processes and services that tick one watch while they are killed and stopped, again and again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from pipelines.runs.records import list_runs
from pipelines.runs.releases.registry import registered
from pipelines.sources.snapshot import DATA, snapshot
from pipelines.stores.opening import open_store
from pipelines.triggers.launches import launches
from pipelines.triggers.settings import Trigger, WatchSettings
from tests.pipelines.triggers.worlds import World

ROOT = Path(__file__).parents[3]
_SETTLED_S = 180


def kill_loop(uri: str, folder: Path, processes: int, kills: int, seed: int) -> Counter[str]:
    """Kill, or stop for about as long as a lease, one of several processes at a random moment.

    Every other one is a service: what it has begun goes on when it is killed. What is promised is
    asserted: each snapshot has one launch and one run that counts, each run one record and one
    release, and the data as it is in the end was trained on.

    Args:
        uri: The store.
        folder: For the data.
        processes: How many.
        kills: How often.
        seed: Of the moments.

    Returns:
        How many launches, runs and releases there were.
    """
    world, draw = World(open_store(uri), folder), random.Random(seed)
    watch = WatchSettings(quiet_s=0, every_s=1)
    trigger = world.trigger(watch=watch, since="2026-01-01T00:00:00+00:00")
    racers = [_begun(uri, number) for number in range(processes)]
    snapshots = 1
    try:
        for kill in range(kills):
            victim = draw.randrange(processes)
            _wait_until_up(racers[victim])
            time.sleep(draw.uniform(0.2, 1.2))
            hit = draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
            racers[victim].send_signal(hit)
            if draw.random() < 0.5:
                world.upload("a", 1, begin=1000 + kill)
                snapshots += 1
            time.sleep(draw.uniform(0, 1.5))  # some are stopped for longer than a lease
            racers[victim].send_signal(signal.SIGCONT)
            if hit == signal.SIGKILL:
                racers[victim].wait()
                assert racers[victim].returncode == -signal.SIGKILL, "it had ended by itself"
                racers[victim] = _begun(uri, victim + processes * (kill + 1))
        _wait_until_trained(world, trigger)
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
            if racer.stdout:
                racer.stdout.close()
    return _as_promised(world, trigger, snapshots)


def _begun(uri: str, number: int) -> subprocess.Popen[bytes]:
    kind = "service" if number % 2 else "ticks"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pipelines.triggers.racing", uri, str(number), kind],
        cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip


def _wait_until_up(racer: subprocess.Popen[bytes]) -> None:
    """Wait until a process evaluates triggers: one that is killed before shows nothing."""
    if racer.stdout and not racer.stdout.closed:
        assert racer.stdout.readline() == b"up\n"
        racer.stdout.close()


def _as_promised(world: World, trigger: Trigger, snapshots: int) -> Counter[str]:
    known = launches(world.store, trigger)
    runs = [attempt.run for launch in known.values() for attempt in launch.attempts]
    records = {record.run: record for record in list_runs(world.store)}
    assert len(runs) == len(set(runs)), "two attempts have one run"
    assert set(records) <= set(runs), "a run that nobody reserved"
    assert 1 <= len(known) <= snapshots, "more launches than snapshots"
    done = [run for run, record in records.items() if record.outcome == "done"]
    trained = [records[run].sources[DATA] for run in done]
    assert len(trained) == len(set(trained)), "a snapshot has two runs that ended well"
    for key, one in known.items():
        if one.latest and one.state(trigger.retries) == "done":
            assert records[one.latest.run].sources[DATA] == key, "a run of other data"
    released = [run for run, _ in registered(world.store, "tiny")]
    assert len(released) == len(set(released)), "a run with two releases"
    assert set(done) <= set(released), "a run without its release"
    return Counter(launches=len(known), runs=len(records), releases=len(released))


def _wait_until_trained(world: World, trigger: Trigger) -> None:
    """Wait until the data as it is now was trained on."""
    wanted = snapshot(str(world.data)).digest
    until = time.monotonic() + _SETTLED_S
    while True:
        launch = launches(open_store(world.store.uri), trigger).get(wanted)
        if launch and launch.state(trigger.retries) == "done":
            return
        told = {key: one.state(2) for key, one in launches(world.store, trigger).items()}
        assert time.monotonic() < until, f"{wanted} was not trained on: {told}"
        time.sleep(0.2)
