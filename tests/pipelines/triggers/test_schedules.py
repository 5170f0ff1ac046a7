"""Schedules in virtual time: what is launched, left out, made up for, tried again."""

import contextlib
import threading
import time
from dataclasses import replace

import pytest

from components.contract.errors import UserError
from pipelines.runs.records import list_runs, read_run
from pipelines.runs.releases.registry import registered
from pipelines.stores.layout import launch_key, launch_lease_key, launch_slot_key
from pipelines.stores.leases import Leases
from pipelines.triggers.kept import change_trigger, read_trigger
from pipelines.triggers.launches import end, launches
from pipelines.triggers.settings import ScheduleSettings
from pipelines.triggers.ticks import read_ticks
from tests.pipelines.triggers.worlds import Killed

NIGHTLY = ScheduleSettings("0 4 * * *", "UTC")


def test_a_time_is_launched_once_however_often_it_is_looked_at(world):
    world.trigger(schedule=NIGHTLY)
    assert world.tick() == [("nothing", "next at 2026-11-27 04:00+00:00")]
    world.clock.passes(hours=1)
    assert world.tick() == [("launch", "by the clock: done")]
    for _ in range(3):
        world.clock.passes(minutes=1)
        assert world.tick()[0][0] == "nothing"
    (run,) = list_runs(world.store)
    assert (run.outcome, run.actor) == ("done", "trigger t")
    assert [name for name, _ in registered(world.store, "tiny")] == [run.run]


def test_nothing_before_it_was_added_or_resumed_is_made_up_for(world):
    world.clock.passes(hours=2)
    world.trigger(schedule=NIGHTLY)
    assert world.tick()[0][0] == "nothing"


def test_what_was_missed_is_made_up_for_once_within_the_window(world):
    world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=4, minutes=12)
    assert world.tick() == [("launch", "late by 3 h 12 min: done")]
    world.clock.passes(days=3, hours=1)  # 08:12: three times were missed
    assert world.tick() == [("launch", "late by 4 h 12 min; 2 earlier times were missed: done")]
    assert world.tick()[0][0] == "nothing"
    world.clock.passes(hours=35)  # 19:12, and the last was at 04:00
    assert world.tick() == [("leave out", "missed at 2026-12-01 04:00+00:00, late by 15 h 12 min")]
    assert world.tick()[0][0] == "nothing"
    assert len(list_runs(world.store)) == 2


def test_no_catching_up_and_catching_up_with_several(world):
    world.trigger("none", ScheduleSettings("0 4 * * *", "UTC", catch_up=0))
    world.trigger("all", ScheduleSettings("0 * * * *", "UTC", catch_up=3))
    world.clock.passes(hours=5)
    assert [what for what, _ in world.tick("none")] == ["leave out"]
    assert [what for what, _ in world.tick("all")] == ["launch"] * 3
    keys = list(launches(world.store, read_trigger(world.store, "all")))
    assert keys == ["20261127T0600Z", "20261127T0700Z", "20261127T0800Z"]


@pytest.mark.parametrize(
    ("overlap", "decided", "later"),
    [
        ("skip", "leave out", "nothing"), ("queue", "wait", "launch"), ("cancel", "cancel", "launch"),
    ],
)  # fmt: skip
def test_a_time_at_which_the_run_before_held(world, overlap, decided, later):
    trigger = world.trigger(schedule=ScheduleSettings("0 * * * *", "UTC", overlap=overlap))
    seen = []

    def an_hour() -> None:
        world.clock.passes(hours=1)
        seen.extend(world.tick())

    world.runs.meanwhile = an_hour
    world.clock.passes(hours=1)
    ((what, _),) = world.tick()
    assert what == "launch"
    run = world.runs.begun[0]
    (only,) = seen
    assert only[0] == decided
    assert f"the run {run} goes on" in only[1]
    assert world.tick()[0][0] == later
    states = {key: one.state(2) for key, one in launches(world.store, trigger).items()}
    assert len([state for state in states.values() if state == "done"]) == (
        1 if overlap != "queue" else 2
    )
    asked = read_run(world.store, run).cancelled
    if overlap == "cancel":
        assert asked["actor"] == "trigger t"
        assert asked["reason"].endswith("it is time for the next")
    else:
        assert asked is None


def test_failures_are_tried_again_later_and_then_asked_about(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    world.runs.outcomes = ["failed"] * 3
    assert world.tick() == [("launch", "by the clock: failed")]
    world.clock.passes(seconds=59)
    assert world.tick()[0][0] == "nothing"
    world.clock.passes(seconds=14)
    assert world.tick()[0][0] == "launch"
    world.clock.passes(minutes=4)
    assert world.tick()[0][0] == "nothing"
    world.clock.passes(minutes=2)
    assert world.tick()[0][0] == "launch"
    world.clock.passes(minutes=100)
    assert world.tick()[0][0] == "nothing"
    (launch,) = launches(world.store, trigger).values()
    assert launch.state(trigger.retries) == "dead letter"
    assert len({one.run for one in launch.attempts}) == 3


def test_a_users_fault_is_not_tried_again(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    world.runs.outcomes = ["user fault"]
    world.tick()
    (launch,) = launches(world.store, trigger).values()
    assert launch.state(trigger.retries) == "dead letter"
    world.clock.passes(minutes=5)
    assert world.tick()[0][0] == "nothing"


def test_three_dead_letters_pause_a_trigger_and_newer_times_go_on_before(world):
    world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    for _ in range(3):
        world.runs.outcomes = ["user fault"]
        assert world.tick()[0][0] == "launch"
        world.clock.passes(days=1)
    assert world.tick()[0][0] == "pause"
    assert "3 launches" in read_trigger(world.store, "t").paused
    assert world.tick()[0][0] == "paused"
    since = world.clock().isoformat()
    change_trigger(world.store, "t", lambda one: replace(one, paused="", since=since))
    assert world.tick()[0][0] == "nothing"  # what failed before counts no more
    world.clock.passes(days=1)
    assert "done" in world.tick()[0][1]


def test_a_killed_run_is_begun_anew_at_once_and_counts_as_no_failure(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    world.runs.outcomes = ["killed", "killed", "killed", "failed", "done"]
    for _ in range(3):
        with pytest.raises(Killed):
            world.tick()
    (row,) = read_ticks(world.store, "t")
    assert (row.what, row.count) == ("launch", 3)
    assert world.tick()[0][0] == "launch"
    (launch,) = launches(world.store, trigger).values()
    assert launch.state(trigger.retries) == "failed"
    world.clock.passes(minutes=31)
    assert "done" in world.tick()[0][1]
    assert len(list(registered(world.store, "tiny"))) == 1


def test_what_is_killed_again_and_again_is_asked_about(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    world.runs.outcomes = ["killed"] * 5
    for _ in range(5):
        with pytest.raises(Killed):
            world.tick()
    assert world.tick()[0][0] == "nothing"
    (launch,) = launches(world.store, trigger).values()
    assert launch.state(trigger.retries) == "dead letter"


def test_what_was_reserved_and_not_begun_runs_under_the_same_name(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)

    def stopped(*_args, **_more):
        raise Killed

    begun, world.runs.__class__.__call__ = world.runs.__class__.__call__, stopped
    try:
        with pytest.raises(Killed):
            world.tick()
    finally:
        world.runs.__class__.__call__ = begun
    (launch,) = launches(world.store, trigger).values()
    world.clock.passes(minutes=1)
    assert world.tick()[0][0] == "launch"
    assert [run.run for run in list_runs(world.store)] == [launch.attempts[0].run]


def test_what_was_left_out_stays_left_out(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    end(world.store, trigger, "20261127T0400Z", "skipped", "because", "now", "me")
    assert world.tick()[0][0] == "nothing"
    assert not list_runs(world.store)


def test_no_more_launches_than_are_allowed_at_once(world):
    world.trigger("one", NIGHTLY)
    world.trigger("two", NIGHTLY)
    world.clock.passes(hours=1)
    assert [why for what, why in world.tick(at_once=0) if what == "wait"]
    assert not list_runs(world.store)
    assert [what for what, _ in world.tick()] == ["launch", "launch"]  # one after the other


def test_a_time_that_somebody_left_out_meanwhile_is_not_run(world):
    trigger = world.trigger(schedule=ScheduleSettings("0 * * * *", "UTC", catch_up=2))
    world.clock.passes(hours=2)

    def left_out() -> None:
        end(world.store, trigger, "20261127T0500Z", "skipped", "because", "now", "me")

    world.runs.meanwhile = left_out  # while the first of both runs
    told = world.tick()
    assert [what for what, _ in told] == ["launch", "launch"]
    assert "left out: because" in told[1][1]
    assert len(list_runs(world.store)) == 1


def test_a_launch_whose_machine_is_gone_is_not_counted_against_itself(world, monkeypatch):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    world.runs.outcomes = ["killed"]
    with pytest.raises(Killed):
        world.tick()
    monkeypatch.setattr("pipelines.stores.leases.has_ended", lambda _process: False)
    gone = Leases(world.store, 1.0)
    assert gone.take(launch_lease_key(trigger.uid, "20261127T0400Z"), {})
    gone.close()  # as of another machine: time alone tells that nobody renews it
    assert "done" in world.tick()[0][1]


def test_a_launch_that_cannot_begin_is_tried_as_often_as_one_that_fails(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)

    def refusing(*_args, **_more):
        raise UserError("the output folder holds other files", "name another")

    seen = [world.tick(launcher=refusing)[0] for _ in range(3)]
    assert "refused" in seen[0][1]
    assert [what for what, _ in seen[1:]] == ["nothing", "nothing"]
    for _ in range(9):
        world.clock.passes(minutes=31)
        world.tick(launcher=refusing)
    (launch,) = launches(world.store, trigger).values()
    assert (launch.state(trigger.retries), len(launch.attempts)) == ("dead letter", 3)
    assert "other files" in launch.why
    assert not list_runs(world.store)


def test_what_could_not_begin_runs_when_it_can(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    begun, world.runs.__class__.__call__ = world.runs.__class__.__call__, no_run
    try:
        world.tick()
    finally:
        world.runs.__class__.__call__ = begun
    world.clock.passes(minutes=2)
    assert "done" in world.tick()[0][1]
    (launch,) = launches(world.store, trigger).values()
    assert (launch.state(trigger.retries), len(launch.attempts)) == ("done", 2)


def no_run(*_args, **_more):
    raise UserError("the store is full", "clear it")


def test_one_damaged_launch_hides_no_other_and_is_not_launched_again(world):
    trigger = world.trigger(schedule=ScheduleSettings("0 * * * *", "UTC"))
    for _ in range(2):
        world.clock.passes(hours=1)
        world.tick()
    place = launch_key(trigger.uid, "20261127T0500Z", 1)
    world.store.replace_if_match(place, b"{", world.store.stat(place).version)
    assert [one.state(2) for one in launches(world.store, trigger).values()] == ["done", "damaged"]
    assert world.tick()[0][0] == "nothing"
    world.clock.passes(hours=1)
    assert "done" in world.tick()[0][1]
    assert len(list_runs(world.store)) == 3


def test_times_to_be_made_up_for_wait_for_each_other_whoever_else_looks(world):
    trigger = world.trigger(schedule=ScheduleSettings("0 * * * *", "UTC", catch_up=3))
    seen = []

    def another() -> None:
        world.clock.passes(minutes=1)
        seen.extend(world.tick(at_once=9))

    world.clock.passes(hours=5)
    world.runs.meanwhile = another
    assert [what for what, _ in world.tick()] == ["launch"] * 3
    assert [what for what, _ in seen] == ["wait", "wait"]
    assert [one.state(2) for one in launches(world.store, trigger).values()] == ["done"] * 3


def test_a_machine_that_is_gone_keeps_no_room_for_ever(world, monkeypatch):
    gone = Leases(world.store, 1.0)
    assert gone.take(launch_slot_key(0), {})  # as of another machine, for a trigger removed since
    gone.close()
    monkeypatch.setattr("pipelines.stores.leases.has_ended", lambda _process: False)
    monkeypatch.setattr("pipelines.triggers.slots.lives_here", lambda _process: False)
    world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    assert "done" in world.tick()[0][1]


def test_a_machine_that_lives_is_not_waited_for(world):
    other = Leases(world.store, 60.0)
    assert other.take(launch_slot_key(0), {})
    world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    began = time.monotonic()
    assert world.tick(lease_s=60.0)[0][0] == "wait"
    other.close()
    assert time.monotonic() - began < 30


def test_two_ticks_at_a_time_never_launch_more_than_are_allowed(world):
    for name in "abcd":
        world.trigger(name, NIGHTLY)
    world.clock.passes(hours=1)
    at_once, most = [], []
    second = threading.Barrier(2)  # whoever is allowed comes, however busy the machine is

    def run(config, *, ordered, **more):
        at_once.append(ordered.run)
        most.append(len(at_once))
        with contextlib.suppress(threading.BrokenBarrierError):
            second.wait(timeout=20)
        time.sleep(0.2)  # for a third that is not
        at_once.remove(ordered.run)
        return world.runs(config, ordered=ordered, **more)

    def tick() -> None:
        world.tick(launcher=run, at_once=2)

    ticking = [threading.Thread(target=tick) for _ in range(4)]
    for thread in ticking:
        thread.start()
    for thread in ticking:
        thread.join()
    assert max(most) == 2


def test_a_run_that_lost_its_lease_counts_no_more(world):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    other = Leases(world.store)

    def taken_over() -> None:
        key = launch_lease_key(trigger.uid, "20261127T0400Z")
        world.store.delete_if_match(key, world.store.stat(key).version)
        assert other.take(key, {})

    world.runs.meanwhile = taken_over
    world.tick()
    other.close()
    assert not list(registered(world.store, "tiny"))
    assert [run.outcome for run in list_runs(world.store)] == ["cancelled"]
