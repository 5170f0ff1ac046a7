"""Evaluations as they are kept: equal ones as one, closed days, nothing of a removed trigger."""

from datetime import timedelta

import pytest

from pipelines.stores.layout import observed_key, tick_days_prefix, ticks_key
from pipelines.triggers.kept import remove_trigger
from pipelines.triggers.settings import ScheduleSettings, WatchSettings
from pipelines.triggers.ticks import Tick, all_ticks, note, read_ticks, tell_once, ticks_of_day

HOURLY = ScheduleSettings("0 * * * *", "UTC")


def noted(world, count, minutes=1, what="nothing"):
    trigger = world.trigger(schedule=HOURLY)
    for number in range(count):
        note(world.store, "t", trigger.uid, Tick.of(world.clock(), what, f"reason {number}"))
        world.clock.passes(minutes=minutes)
    return trigger


def reasons(rows):
    return [row.why for row in rows]


def test_what_there_is_no_room_for_is_kept_with_its_day(world):
    trigger = noted(world, 260)
    assert len(read_ticks(world.store, "t")) == 200
    every = [f"reason {number}" for number in range(260)]
    assert reasons(all_ticks(world.store, "t", trigger.uid)) == every
    assert reasons(ticks_of_day(world.store, "t", trigger.uid, "2026-11-27")) == every


def test_a_day_that_is_over_has_a_key_of_its_own(world):
    trigger = noted(world, 7, minutes=12 * 60)
    days = list(world.store.list(tick_days_prefix(trigger.uid)))
    assert [key.split("/")[-1] for key in days] == [
        "2026-11-27.json", "2026-11-28.json", "2026-11-29.json",
    ]  # fmt: skip
    assert reasons(ticks_of_day(world.store, "t", trigger.uid, "2026-11-28")) == [
        "reason 2", "reason 3",
    ]  # fmt: skip
    assert len(list(all_ticks(world.store, "t", trigger.uid))) == 7


def test_what_went_on_for_days_is_told_for_each_of_them(world):
    trigger = world.trigger(schedule=HOURLY)
    for _ in range(5):
        note(world.store, "t", trigger.uid, Tick.of(world.clock(), "wait", "for days"))
        world.clock.passes(days=1)
    note(world.store, "t", trigger.uid, Tick.of(world.clock(), "nothing", "over"))
    world.clock.passes(days=1)
    note(world.store, "t", trigger.uid, Tick.of(world.clock(), "nothing", "and over"))
    for day in (27, 29):
        (row,) = ticks_of_day(world.store, "t", trigger.uid, f"2026-11-{day}")
        assert (row.what, row.count) == ("wait", 5)


def test_a_launch_that_others_looked_at_meanwhile_is_one_row(world):
    trigger = world.trigger(schedule=HOURLY)
    begun = Tick.of(world.clock(), "launch", "by the clock", "k")
    note(world.store, "t", trigger.uid, begun)
    note(world.store, "t", trigger.uid, Tick.of(world.clock(), "nothing", "others"))
    ended = Tick.of(world.clock(), "launch", "by the clock: done", "k", run="r")
    note(world.store, "t", trigger.uid, ended, of_last=True)
    rows = read_ticks(world.store, "t")
    assert [(row.what, row.run, row.why) for row in rows] == [
        ("launch", "r", "by the clock: done"), ("nothing", "", "others"),
    ]  # fmt: skip


def test_an_age_that_grows_is_no_news(world):
    world.trigger(watch=WatchSettings(quiet_s=60, when=("age:30d",)))
    for _ in range(4):
        world.tick()
        world.clock.passes(minutes=1)
    world.upload("a", 1, begin=9)
    for _ in range(9):
        world.tick()
        world.clock.passes(hours=3)
    rows = [row for row in read_ticks(world.store, "t") if "old" in row.why]
    assert len(rows) == 1
    assert rows[0].count > 3


@pytest.mark.parametrize("what", ["schedule", "watch"])
def test_a_tick_that_ends_after_its_trigger_was_removed_leaves_nothing(world, what):
    when = {"schedule": HOURLY} if what == "schedule" else {"watch": WatchSettings(quiet_s=1)}
    trigger = world.trigger(**when)
    world.clock.passes(hours=2)
    if what == "schedule":
        world.runs.meanwhile = lambda: remove_trigger(world.store, "t")
        world.tick()
    else:
        remove_trigger(world.store, "t")
        ticker = world.ticker()
        ticker._one(trigger, dry=False)
        ticker.close()
    assert not list(world.store.list("triggers/"))
    assert world.store.stat(ticks_key("t")) is world.store.stat(observed_key("t")) is None


def test_what_is_told_once_is_told_once(world):
    world.trigger(schedule=HOURLY)
    row = Tick.of(world.clock(), "overdue", "late", "k")
    assert tell_once(world.store, "t", row)
    assert not tell_once(
        world.store, "t", Tick.of(world.clock() + timedelta(1), "overdue", "x", "k")
    )
    assert tell_once(world.store, "t", Tick.of(world.clock(), "running long", "late", "k"))
    assert not read_ticks(world.store, "t")
