"""What people are told of a trigger: what comes next, what should have come, what waits for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from components.contract.errors import UserError
from pipelines.triggers.confirming import confirm
from pipelines.triggers.launches import Launch, launches
from pipelines.triggers.settings import ScheduleSettings, WatchSettings
from pipelines.triggers.standing import held_now, next_times, overdue, running_long
from pipelines.triggers.ticks import read_ticks

HOURLY = ScheduleSettings(cron="0 * * * *", zone="Europe/Berlin")


def known(world, trigger):
    return list(launches(world.store, trigger).values())


def test_the_next_times_are_in_the_zone_over_the_change_of_the_clock(world):
    nightly = ScheduleSettings(cron="30 2 * * *", zone="Europe/Berlin")
    trigger = world.trigger(schedule=nightly)
    times = next_times(trigger, 3, datetime(2027, 3, 27, 0, 0, tzinfo=UTC))
    assert [one.isoformat() for one in times] == [
        "2027-03-27T02:30:00+01:00", "2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00",
    ]  # fmt: skip


def test_nothing_comes_next_of_a_watch_or_while_it_is_paused(world):
    now = world.clock()
    assert next_times(world.trigger(watch=WatchSettings()), 5, now) == []
    paused = world.trigger("p", schedule=HOURLY, paused="by hand")
    assert next_times(paused, 5, now) == []
    assert overdue(paused, "", now + timedelta(days=2)) == ""


def test_a_schedule_is_overdue_when_a_time_has_passed_that_nobody_has_looked_at(world):
    trigger, begin = world.trigger(schedule=HOURLY), world.clock()
    last = begin.isoformat()
    assert overdue(trigger, last, begin + timedelta(minutes=59)) == ""
    assert overdue(trigger, last, begin + timedelta(minutes=63)) == ""
    assert "nobody has evaluated it" in overdue(trigger, last, begin + timedelta(minutes=66))


def test_a_trigger_that_was_resumed_is_not_overdue_for_the_time_before(world):
    begin = world.clock()
    later = begin + timedelta(days=7)
    trigger = world.trigger(schedule=HOURLY, since=later.isoformat())
    assert overdue(trigger, begin.isoformat(), later + timedelta(minutes=1)) == ""


def test_a_watch_is_overdue_when_nobody_has_looked_at_it(world):
    trigger, begin = world.trigger(watch=WatchSettings(every_s=600)), world.clock()
    assert overdue(trigger, begin.isoformat(), begin + timedelta(minutes=29)) == ""
    assert overdue(trigger, begin.isoformat(), begin + timedelta(minutes=31))


@pytest.mark.parametrize(("hours", "long"), [(2.5, False), (3.5, True)])
def test_a_run_that_takes_far_longer_than_those_before_is_told(world, hours, long):
    trigger = world.trigger(watch=WatchSettings(quiet_s=1))
    for _ in range(3):
        world.tick()
        world.clock.passes(seconds=2)
    (one,) = known(world, trigger)
    assert one.record
    ended = (datetime.fromisoformat(one.record.started) + timedelta(hours=1)).isoformat()
    usual = [replace(one, records=(replace(one.record, finished=ended),))] * 3
    now = world.clock()
    began = (now - timedelta(hours=hours)).isoformat()
    going = Launch(
        "k", one.attempts, None, (replace(one.record, outcome="running", started=began),)
    )
    assert bool(running_long([*usual, going], now)) is long
    assert running_long([*usual[:2], going], now) == "", "too few to know what is usual"


def held(world):
    """A watch whose data has lost most of its files since it was trained on."""
    trigger = world.trigger(watch=WatchSettings(quiet_s=1, shrink=0.2))
    world.upload("b", 20)
    for _ in range(4):
        world.tick()
        world.clock.passes(seconds=2)
    for number in range(15):
        (world.data / "b" / f"{number}.png").unlink()
    for _ in range(4):
        world.tick()
        world.clock.passes(seconds=2)
    waits = held_now(read_ticks(world.store, trigger.name), known(world, trigger))
    assert waits
    return trigger, waits


def test_confirmed_data_is_trained_on_once_and_is_held_no_more(world):
    trigger, waits = held(world)
    attempt = confirm(
        world.store, trigger, waits.key, actor="olga", reason="cleaned up", at=world.clock()
    )
    assert (attempt.key, attempt.snapshot) == (waits.key, waits.key)
    assert "olga: cleaned up" in attempt.why
    assert held_now(read_ticks(world.store, trigger.name), known(world, trigger)) is None
    world.tick()
    world.tick()
    assert world.runs.begun.count(attempt.run) == 1
    assert known(world, trigger)[-1].state(2) == "done"


def test_what_was_confirmed_or_has_changed_meanwhile_is_not_confirmed_again(world):
    trigger, waits = held(world)

    def say(key):
        confirm(world.store, trigger, key, actor="olga", reason="x", at=world.clock())

    with pytest.raises(UserError, match="holds other data"):
        say("0" * 64)
    say(waits.key)
    with pytest.raises(UserError, match="holds nothing"):
        say(waits.key)


def test_data_that_was_never_quiet_is_taken_as_it_is(world):
    trigger = world.trigger(watch=WatchSettings(quiet_s=600, max_wait_s=3600))
    for number in range(8):
        world.upload("c", 1, begin=number)
        world.tick()
        world.clock.passes(minutes=10)
    waits = held_now(read_ticks(world.store, trigger.name), known(world, trigger))
    assert waits
    assert waits.key == ""
    attempt = confirm(world.store, trigger, "", actor="olga", reason="x", at=world.clock())
    assert attempt.snapshot == ""
    world.tick()
    assert world.runs.begun == [attempt.run]


def test_nothing_is_confirmed_while_it_is_paused(world):
    trigger, waits = held(world)
    with pytest.raises(UserError, match="is paused"):
        confirm(
            world.store, replace(trigger, paused="by hand"), waits.key, actor="olga", reason="x",
            at=world.clock(),
        )  # fmt: skip
