"""Each guard of the triggers, removed once, turns a test red."""

import pytest

from pipelines.stores.layout import launch_key
from pipelines.stores.leases import Lease
from pipelines.triggers import deciding, launches, reading, ticking
from tests.pipelines.triggers import test_schedules, test_watches


def no_claim(monkeypatch):
    """Everybody takes its own attempt for the one that was reserved."""

    def reserve(store, trigger, key, number, **more):
        place = launch_key(trigger.uid, key, number)
        if stat := store.stat(place):
            store.delete_if_match(place, stat.version)
        return launches.reserve(store, trigger, key, number, **more)

    monkeypatch.setattr(ticking, "reserve", reserve)


def no_quiet(monkeypatch):
    """Data is taken for whole at the first look."""
    for module in (reading, deciding):
        monkeypatch.setattr(module, "is_ready", lambda *_: True)


def no_fence(monkeypatch):
    """Whoever lost its lease registers its release all the same."""
    monkeypatch.setattr(Lease, "regain", lambda _: True)


GUARDS = {
    "claim": (
        no_claim, test_schedules.test_what_was_reserved_and_not_begun_runs_under_the_same_name,
    ),
    "quiet": (
        no_quiet, test_watches.test_data_that_moves_does_not_train_and_data_that_rests_does_once,
    ),
    "fence": (no_fence, test_schedules.test_a_run_that_lost_its_lease_counts_no_more),
}  # fmt: skip


@pytest.mark.parametrize("guard", GUARDS)
def test_the_tests_notice_a_guard_that_is_gone(guard, world, monkeypatch):
    remove, test = GUARDS[guard]
    remove(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        test(world)
