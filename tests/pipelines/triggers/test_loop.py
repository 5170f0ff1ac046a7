"""Triggers evaluated by a thread: launches in processes of their own, once, however many loops."""

import json
import stat
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial

from pipelines.runs.records import list_runs
from pipelines.stores.layout import launch_slot_key
from pipelines.stores.leases import Leases
from pipelines.triggers.kept import change_trigger, remove_trigger
from pipelines.triggers.launches import launches
from pipelines.triggers.loop import TriggerLoop
from pipelines.triggers.settings import ScheduleSettings, WatchSettings
from pipelines.triggers.ticks import read_ticks
from tests.pipelines.triggers.one_tick import begin
from tests.pipelines.waiting import finished_within

EVERY_MINUTE = ScheduleSettings("* * * * *", "UTC")
EAGER = WatchSettings(quiet_s=1, every_s=1)
LONG_AGO = "2026-01-01T00:00:00+00:00"


@contextmanager
def looping(world, count=1, **more):
    """So many loops on the store, as in so many services."""
    with ExitStack() as held:
        loops = []
        for _ in range(count):
            loop = TriggerLoop(world.store, begin=partial(begin, world.store.uri), **more)
            loop.start()
            held.callback(loop.stop)
            loops.append(loop)
        yield loops


def states(world, trigger):
    return [one.state(trigger.retries) for one in launches(world.store, trigger).values()]


def rests(loop, changes):
    """Whether several evaluations came to nothing new and began no process."""
    before = len(changes)
    time.sleep(3)
    return len(changes) == before and not loop.health().going


def test_a_watch_trains_in_a_process_of_its_own_and_then_rests(world):
    trigger = world.trigger(watch=EAGER)
    changes = []
    with looping(world, on_change=lambda: changes.append(1)) as (loop,):
        finished_within(60, lambda: states(world, trigger) == ["done"])
        finished_within(30, lambda: read_ticks(world.store, "t")[-1].what == "nothing")
        finished_within(60, lambda: rests(loop, changes))  # nothing new is listed, nor read
        health = loop.health()
    assert (health.fault, health.untold) == ("", ())
    assert health.evaluated
    assert health.next
    assert len(list_runs(world.store)) == 1


def test_several_services_launch_once_and_new_triggers_are_met(world):
    with looping(world, 3) as loops:
        trigger = world.trigger(watch=EAGER)
        for loop in loops:
            loop.wake()
        finished_within(90, lambda: states(world, trigger) == ["done"])
        finished_within(60, lambda: not any(loop.health().going for loop in loops))
        remove_trigger(world.store, "t")
        for loop in loops:
            loop.wake()
        time.sleep(1)
        assert [loop.health().fault for loop in loops] == ["", "", ""]
    assert len(list_runs(world.store)) == 1


def test_a_loop_that_is_stopped_leaves_its_run_alone(world):
    trigger = world.trigger(schedule=EVERY_MINUTE, since=LONG_AGO)
    with looping(world):
        finished_within(60, lambda: states(world, trigger) in (["reserved"], ["running"], ["done"]))
    finished_within(60, lambda: states(world, trigger) == ["done"])


def test_one_trigger_that_cannot_be_evaluated_hinders_no_other(world):
    world.trigger("broken", watch=EAGER)
    change_trigger(world.store, "broken", lambda one: one)
    key = "triggers/broken/trigger.json"
    world.store.replace_if_match(key, b"{", world.store.stat(key).version)
    trigger = world.trigger(watch=EAGER)
    with looping(world) as (loop,):
        finished_within(60, lambda: states(world, trigger) == ["done"])
        finished_within(30, lambda: "broken" in loop.health().fault)


def test_notices_come_from_the_loop_and_what_nobody_took_is_told(world, tmp_path):
    taken = tmp_path / "taken.jsonl"
    script = tmp_path / "told.sh"
    script.write_text(f"#!/bin/sh\ncat >> {taken}\necho >> {taken}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    since = datetime.now(UTC).isoformat()
    world.trigger(watch=WatchSettings(every_s=1), since=since)
    (world.folder / "data").rename(world.folder / "gone")
    with looping(world, notify=(str(script),)):
        finished_within(30, lambda: taken.exists() and taken.read_text().endswith("\n"))
        time.sleep(2)
    (told,) = [json.loads(line) for line in taken.read_text().splitlines() if line]
    assert (told["event"], told["trigger"]) == ("error", "t")
    (world.folder / "gone").rename(world.data)
    with looping(world) as (loop,):
        finished_within(30, lambda: read_ticks(world.store, "t")[-1].what == "wait")
    (world.folder / "data").rename(world.folder / "gone")
    with looping(world, notify=("/no/such/command",)) as (loop,):
        finished_within(30, lambda: loop.health().untold)
        assert "was not told of error" in loop.health().untold[-1]


def test_no_process_is_begun_for_what_has_to_wait_for_others(world):
    world.trigger(schedule=EVERY_MINUTE, since=LONG_AGO)
    others = Leases(world.store)
    assert others.take(launch_slot_key(0), {})
    try:
        with looping(world) as (loop,):
            finished_within(30, lambda: read_ticks(world.store, "t"))
            assert read_ticks(world.store, "t")[-1].what == "wait"
            assert not loop.health().going
    finally:
        others.close()
