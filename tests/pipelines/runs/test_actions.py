"""Actions: kept once for each time, listed newest first."""

from __future__ import annotations

import pytest

from pipelines.runs.actions import Action, list_actions, parse_action, record_action
from pipelines.runs.moments import now
from pipelines.stores.layout import kind_of
from pipelines.stores.store import Store


def test_what_was_done_is_listed_newest_first(either_store: Store) -> None:
    done = [
        Action(f"2026-01-{day:02}T03:04:05.678+00:00", "jane", "cancel", f"digits-{day}", "late")
        for day in (9, 1, 30)
    ]
    keys = [record_action(either_store, action) for action in done]
    assert {kind_of(key) for key in keys} == {"action"}
    nine, first, thirtieth = done
    assert list_actions(either_store, 10) == [thirtieth, nine, first]
    assert list_actions(either_store, 2) == [thirtieth, nine]
    assert list_actions(either_store, 0) == []


def test_the_same_twice_in_one_moment_is_two_actions(either_store: Store) -> None:
    action = Action(now(), "jane", "run", "digits-1")
    assert record_action(either_store, action) != record_action(either_store, action)
    assert list_actions(either_store, 10) == [action, action]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"at": "no time", "actor": "a", "action": "b", "what": "c"}']
)
def test_what_is_damaged_hides_nothing(either_store: Store, data: bytes) -> None:
    action = Action("2026-01-02T03:04:05.678+00:00", "jane", "promote", "digits@latest")
    record_action(either_store, action)
    either_store.put_if_absent("actions/2026-01-03/030405.678-0a0b0c0d.json", data)
    assert list_actions(either_store, 10) == [action]
    with pytest.raises(ValueError, match=r"(?i)valid"):
        parse_action(data)
