"""What should have run and has not, and what takes long: told once, and only then."""

from pipelines.triggers.kept import read_trigger
from pipelines.triggers.settings import ScheduleSettings, WatchSettings

HOURLY = ScheduleSettings("0 * * * *", "UTC")


def late(world, **more):
    """Tick, and what it told of lateness."""
    found = []
    world.tick(on_late=lambda name, row: found.append((name, row.what, row.why)), **more)
    return found


def test_a_time_that_nothing_ran_at_is_told_once(world):
    world.trigger(schedule=HOURLY)
    assert not late(world)
    world.clock.passes(hours=1)
    assert not late(world)  # 04:00:30 is in time
    world.clock.passes(minutes=64)
    assert not late(world, at_once=0)  # 05:04:30 launches as soon as there is room
    world.clock.passes(seconds=90)
    told = [("t", "overdue", "nothing has run for 2026-11-27 05:00+00:00, 6 min")]
    assert [(a, b, c[: len(told[0][2])]) for a, b, c in late(world, at_once=0)] == told
    assert not late(world, at_once=0)
    assert not late(world)


def test_a_watch_that_nobody_looked_at_is_told(world):
    world.trigger(watch=WatchSettings(every_s=60))
    assert not late(world)
    world.clock.passes(minutes=4)
    assert not late(world)
    world.clock.passes(hours=3)
    ((_, what, why),) = late(world)
    assert (what, why) == ("overdue", "nobody has evaluated it since 2026-11-27 03:04+00:00")
    assert not late(world)


def test_a_paused_trigger_is_never_late(world):
    world.trigger(schedule=HOURLY, paused="a holiday")
    world.clock.passes(hours=30)
    assert not late(world)


def test_a_run_that_takes_three_times_as_long_as_the_last_is_told_once(world):
    world.trigger(schedule=HOURLY)
    seen = []

    def after(minutes):
        world.clock.passes(minutes=minutes)
        seen.extend(late(world))

    for took in (10, 12, 14):
        world.clock.passes(hours=1)
        world.runs.meanwhile = lambda took=took: world.clock.passes(minutes=took)
        world.tick()
        world.clock.passes(minutes=-took)
    assert read_trigger(world.store, "t").paused == ""
    world.clock.passes(hours=1)
    world.runs.meanwhile = lambda: (after(35), after(2), after(10))
    world.tick()
    ((_, what, why),) = seen
    assert what == "running long"
    assert "for 37 min; the last ones took 12 min" in why
