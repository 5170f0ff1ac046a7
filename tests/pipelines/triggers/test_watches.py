"""Watches in virtual time: partial uploads never train, what is asked decides, nothing is silent."""

import os

import pytest

from pipelines.runs.records import list_runs
from pipelines.stores.layout import observed_key
from pipelines.triggers.kept import get_json, read_trigger, remove_trigger
from pipelines.triggers.launches import launches
from pipelines.triggers.observing import proposed_quiet_s, read_observed
from pipelines.triggers.settings import WatchSettings
from pipelines.triggers.ticks import read_ticks

QUIET = WatchSettings(quiet_s=600)


def settle(world, **more):
    """Tick until the data was quiet for long enough; the last answer."""
    for _ in range(3):
        told = world.tick(**more)
        if told[-1][0] != "wait":
            break
        world.clock.passes(minutes=5)
    return told


def test_data_that_moves_does_not_train_and_data_that_rests_does_once(world):
    world.trigger(watch=QUIET)
    for number in range(4):
        assert world.tick()[0][0] == "wait"
        world.upload("a", 1, begin=10 + number)
        world.clock.passes(minutes=9)
    assert not list_runs(world.store)
    assert settle(world) == [("launch", "first data: 7 files: done")]
    (run,) = list_runs(world.store)
    assert world.tick() == [("nothing", f"trained as run {run.run} on 2026-11-27")]
    assert len(list_runs(world.store)) == 1


def test_two_looks_do_not_make_quiet(world):
    world.trigger(watch=QUIET)
    world.tick()
    world.clock.passes(hours=1)
    told = world.tick()
    assert told[0][0] == "wait"
    assert "2 of 3 times" in told[0][1]


def test_a_clock_that_goes_back_starts_the_time_over(world):
    world.trigger(watch=QUIET)
    world.tick()
    world.clock.passes(minutes=6)
    world.tick()
    world.clock.passes(hours=-1)
    world.tick()
    world.clock.passes(minutes=6)
    assert world.tick()[0][0] == "wait"


def test_a_marker_takes_data_at_once_and_an_old_one_does_not(world):
    world.trigger(watch=WatchSettings(quiet_s=None, marker="_SUCCESS"))
    assert world.tick()[0][0] == "wait"
    marker = world.data / "_SUCCESS"
    marker.write_bytes(b"")
    os.utime(marker, (1, 1))
    assert world.tick()[0][0] == "wait"  # of an upload before
    os.utime(marker)
    assert world.tick()[0] == ("launch", "first data: 3 files: done")


def test_moved_and_doubled_files_are_the_same_images(world):
    world.trigger(watch=QUIET)
    settle(world)
    (world.data / "a" / "0.png").rename(world.data / "a" / "moved.png")
    (world.data / "a" / "copy.png").write_bytes((world.data / "a" / "1.png").read_bytes())
    assert settle(world)[0] == ("nothing", settle(world)[0][1])
    assert "the same images" in settle(world)[0][1]
    assert len(list_runs(world.store)) == 1


@pytest.mark.parametrize(
    ("when", "label", "count", "enough"),
    [
        ("images:5", "a", 4, False), ("images:5", "a", 5, True),
        ("identities:1", "a", 9, False), ("identities:1", "b", 1, True),
        ("changed:50%", "a", 1, False), ("changed:50%", "a", 2, True),
        ("age:1d", "a", 1, False),
    ],
)  # fmt: skip
def test_thresholds_count_contents(world, when, label, count, enough):
    world.trigger(watch=WatchSettings(quiet_s=600, when=(when,)))
    settle(world)
    world.upload(label, count, begin=100)
    told = settle(world)
    assert told[0][0] == ("launch" if enough else "nothing")
    assert "counted from run" in told[0][1]


def test_age_trains_when_something_changed_and_only_then(world):
    world.trigger(watch=WatchSettings(quiet_s=600, when=("age:1d",)))
    settle(world)
    world.clock.passes(days=2)
    assert settle(world)[0][0] == "nothing"
    world.upload("a", 1, begin=50)
    assert settle(world)[0][0] == "launch"


def test_fewer_files_are_asked_about_until_somebody_launches_it(world):
    trigger = world.trigger(watch=QUIET)
    settle(world)
    (world.data / "a" / "0.png").unlink()
    told = settle(world)
    assert told[0][0] == "hold"
    assert "33% are gone" in told[0][1]
    ticker = world.ticker()
    _, carried = ticker.launch_now(trigger, "I removed it", "me")
    ticker.close()
    assert carried.what == "done"
    assert settle(world)[0][0] == "nothing"  # what was launched by hand is what counts now


def test_data_that_never_rests_is_asked_about(world):
    world.trigger(watch=WatchSettings(quiet_s=600, max_wait_s=3600))
    for number in range(9):
        world.upload("a", 1, begin=10 + number)
        told = world.tick()
        world.clock.passes(minutes=9)
    assert told[0][0] == "hold"
    assert not list_runs(world.store)


def test_data_that_was_whole_and_not_enough_starts_the_time_over(world):
    world.trigger(watch=WatchSettings(quiet_s=600, max_wait_s=3600, when=("images:9",)))
    settle(world)
    world.upload("a", 1, begin=20)
    assert settle(world)[0][0] == "nothing"
    world.clock.passes(days=2)
    world.upload("a", 1, begin=30)
    assert world.tick()[0][0] == "wait"


def test_what_is_held_is_noted_once(world):
    world.trigger(watch=WatchSettings(quiet_s=600, max_wait_s=60))
    for number in range(9):
        world.upload("a", 1, begin=10 + number)
        world.tick()
        world.clock.passes(minutes=9)
    assert [row.what for row in read_ticks(world.store, "t")] == ["wait", "hold"]


def test_a_damaged_observation_is_made_anew_in_a_test_too(world):
    world.trigger(watch=QUIET)
    world.store.put_if_absent(observed_key("t"), b"{")
    ticker = world.ticker()
    (ticked,) = ticker.tick("t", dry=True)
    ticker.close()
    assert "1 of 3 times" in ticked.rows[0].why


def test_data_that_is_gone_is_an_error_and_nothing_is_lost(world):
    world.trigger(watch=QUIET)
    settle(world)
    hidden = world.folder / "unmounted"
    world.data.rename(hidden)
    assert world.tick()[0][0] == "error"
    hidden.rename(world.data)
    assert settle(world)[0][0] == "nothing"


def test_at_most_so_often(world):
    world.trigger(watch=WatchSettings(quiet_s=600, at_most="1/24h"))
    settle(world)
    world.upload("a", 1, begin=50)
    told = settle(world)
    assert told[0][0] == "wait"
    assert "trained 1/24h already" in told[0][1]
    world.clock.passes(hours=24)
    assert settle(world)[0][0] == "launch"


def test_data_that_changes_before_its_run_begins_is_superseded(world):
    trigger = world.trigger(watch=QUIET)
    begun = world.runs.__class__.__call__

    def late(*args, **more):
        world.upload("a", 1, begin=77)
        return begun(*args, **more)

    world.runs.__class__.__call__ = late
    try:
        told = settle(world)
    finally:
        world.runs.__class__.__call__ = begun
    assert "superseded" in told[0][1]
    assert not list_runs(world.store)
    assert settle(world)[0] == ("launch", "first data: 4 files: done")
    states = [one.state(2) for one in launches(world.store, trigger).values()]
    assert states == ["superseded", "done"]


def test_testing_notes_nothing_and_starts_nothing(world):
    world.trigger(watch=QUIET)
    ticker = world.ticker()
    before = sorted(world.store.list(""))
    for _ in range(4):
        (ticked,) = ticker.tick("t", dry=True)
        world.clock.passes(minutes=9)
    ticker.close()
    assert ticked.rows[0].what == "wait"
    assert sorted(world.store.list("")) == before


def test_a_trigger_that_is_removed_and_added_again_is_another_one(world):
    world.trigger(watch=QUIET)
    settle(world)
    world.trigger(watch=QUIET, uid="another")  # only added again: the same one
    assert read_trigger(world.store, "t").uid == "uid-t"
    assert settle(world)[0][0] == "nothing"
    remove_trigger(world.store, "t")
    world.trigger(watch=QUIET, uid="another")
    assert settle(world)[0][0] == "launch"


def grown(world, after, change, when=None):
    """A run during which the data changes, and what another tick says then."""
    trigger = world.trigger(watch=when or QUIET)
    seen = []

    def meanwhile() -> None:
        world.clock.passes(minutes=after)
        change()
        seen.extend(world.tick())

    world.runs.meanwhile = meanwhile
    settle(world)
    return [what for what, _ in seen], trigger


def test_an_upload_that_continues_after_its_claim_ends_the_run(world):
    seen, trigger = grown(world, 5, lambda: world.upload("a", 2, begin=50))
    assert seen == ["cancel"]
    (launch,) = launches(world.store, trigger).values()
    assert launch.state(2) == "superseded"
    assert "grew from 3 to 5 files" in launch.why
    assert settle(world)[0][0] == "launch"
    states = [one.state(2) for one in launches(world.store, trigger).values()]
    assert states == ["superseded", "done"]


def overwritten(world):
    world.upload("a", 2, begin=50)
    (world.data / "a" / "0.png").write_bytes(b"another image")


@pytest.mark.parametrize(
    ("after", "change", "when"),
    [
        (31, lambda world: world.upload("a", 2, begin=50), QUIET),  # after three quiet periods
        (5, overwritten, QUIET),  # what is no part of an upload is found when files are staged
        (5, lambda world: (world.data / "a" / "0.png").unlink(), QUIET),
        (
            5, lambda world: world.upload("a", 2, begin=50),
            WatchSettings(quiet_s=None, marker="_SUCCESS"),
        ),
    ],
)  # fmt: skip
def test_other_changes_end_no_run(world, after, change, when):
    (world.data / "_SUCCESS").write_bytes(b"")
    os.utime(world.data / "_SUCCESS", (2**31, 2**31))
    seen, trigger = grown(world, after, lambda: change(world), when)
    assert seen == ["wait"]
    assert [one.state(2) for one in launches(world.store, trigger).values()] == ["done"]


def test_a_run_half_of_whose_time_is_spent_is_left_alone(world):
    world.trigger(watch=QUIET)
    for number in range(3):
        world.upload("a", 1, begin=100 + number)
        world.runs.meanwhile = lambda: world.clock.passes(minutes=12)
        assert settle(world)[0][0] == "launch"
    seen = []

    def meanwhile() -> None:
        world.clock.passes(minutes=5)
        world.upload("a", 1, begin=200)
        seen.extend(what for what, _ in world.tick())
        world.clock.passes(minutes=2)

    def later() -> None:
        world.clock.passes(minutes=7)
        world.upload("a", 1, begin=300)
        seen.extend(what for what, _ in world.tick())

    for each in (meanwhile, later):
        world.upload("a", 1, begin=400 + len(seen))
        world.runs.meanwhile = each
        settle(world)
    assert seen == ["cancel", "wait"]


def test_a_launch_says_how_it_was_known_that_the_data_is_whole(world):
    trigger = world.trigger(watch=QUIET)
    settle(world)
    (launch,) = launches(world.store, trigger).values()
    assert launch.why == "first data: 3 files (quiet, no marker)"


def test_the_longest_pause_of_an_upload_is_remembered(world):
    trigger = world.trigger(watch=QUIET)
    for minutes in (1, 4, 2):
        world.tick()
        world.clock.passes(minutes=minutes)
        world.tick()
        world.upload("a", 1, begin=100 + minutes)
        world.clock.passes(seconds=10)
    world.tick()
    seen = read_observed(get_json(world.store, observed_key("t")))
    assert seen.longest_pause_s == 240
    assert proposed_quiet_s(trigger.watch, seen) == 720
    assert proposed_quiet_s(WatchSettings(quiet_s=720), seen) is None
