"""A release that is to be promoted by itself, also where who ran it was killed before it did."""

import pytest

from pipelines.stores.layout import launch_lease_key
from pipelines.stores.leases import Leases
from pipelines.triggers import running
from pipelines.triggers.launches import launches
from pipelines.triggers.noticing import notices
from pipelines.triggers.settings import ScheduleSettings
from pipelines.triggers.ticks import read_ticks
from tests.pipelines.triggers.worlds import Killed

NIGHTLY = ScheduleSettings("0 4 * * *", "UTC")


@pytest.fixture
def asked(monkeypatch):
    """The runs whose promotion was looked at."""
    runs: list[str] = []

    def promote(_cache, _config, run):
        runs.append(run)
        return f"promoted: {run}"

    monkeypatch.setattr(running, "promote_automatically", promote)
    return runs


def killed_at_its_promotion(world, monkeypatch):
    """Launch what is due in a process that is killed when its run has ended; return the trigger."""
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(running, "promote_automatically", kill)
        with pytest.raises(Killed):
            world.tick()
    return trigger


def told(world, **more):
    """Tick in a process of its own; the notices."""
    ticker = world.ticker(**more)
    try:
        return [
            (notice.event, notice.why, notice.run)
            for ticked in ticker.tick()
            for notice in notices(world.store, ticked)
        ]
    finally:
        ticker.close()


def test_a_run_that_ended_well_is_promoted_once(world, asked):
    world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    ((event, why, run),) = told(world)
    assert (event, why, asked) == ("promoted", f"promoted: {run}", [run])
    assert told(world) == []
    assert len(asked) == 1


def test_who_evaluates_next_promotes_what_a_killed_process_left(world, asked, monkeypatch):
    killed_at_its_promotion(world, monkeypatch)
    (run,) = world.runs.begun
    assert told(world) == [("promoted", f"promoted: {run}", run)]
    assert told(world) == []
    assert (asked, world.runs.begun) == ([run], [run])
    launched, *_ = read_ticks(world.store, "t")
    assert (launched.what, launched.run) == ("launch", run)


def test_what_is_promoted_just_now_is_left_to_who_does_it(world, asked, monkeypatch):
    trigger = killed_at_its_promotion(world, monkeypatch)
    (key,) = launches(world.store, trigger)
    others = Leases(world.store, 600.0)
    lease = others.take(launch_lease_key(trigger.uid, key), {})
    assert [what for what, _ in world.tick()] == ["nothing"]
    assert not asked
    lease.release()
    others.close()
    assert [event for event, *_ in told(world)] == ["promoted"]


def test_an_older_release_than_one_that_ended_well_since_is_not_promoted(world, asked, monkeypatch):
    trigger = killed_at_its_promotion(world, monkeypatch)
    ticker = world.ticker()
    world.clock.passes(minutes=1)
    newer, _ = ticker.launch_now(trigger, "by hand", "somebody")
    ticker.close()
    told(world)
    assert asked == [newer]


def test_who_comes_second_leaves_a_run_that_has_ended_alone(world, asked):
    trigger = world.trigger(schedule=NIGHTLY)
    world.clock.passes(hours=1)
    told(world)
    ((_, launch),) = launches(world.store, trigger).items()
    leases = Leases(world.store)
    second = running.carry_out(
        world.store, trigger, launch.latest, leases, now=world.clock, on_event=lambda _event: None
    )
    leases.close()
    assert (second.what, len(asked)) == ("elsewhere", 1)


def test_a_service_leaves_promoting_to_a_process_of_its_own(world, asked, monkeypatch):
    killed_at_its_promotion(world, monkeypatch)
    handed = []
    assert told(world, hand_over=handed.append) == []
    assert (handed, asked) == (["t"], [])


def test_a_dry_evaluation_promotes_nothing(world, asked, monkeypatch):
    killed_at_its_promotion(world, monkeypatch)
    ticker = world.ticker()
    (ticked,) = ticker.tick("t", dry=True)
    ticker.close()
    assert [row.what for row in ticked.rows] == ["launch"]
    assert not asked
    assert [event for event, *_ in told(world)] == ["promoted"]
