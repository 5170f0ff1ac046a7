"""Ticks: what a trigger's evaluations came to, equal ones told as one.

The latest ones lie beside the trigger, under one key that each evaluation rewrites. Those that
began on a day that is over, and those that there is no room for any more, are copied to a key of
that day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipelines.stores.layout import tick_day_key, tick_days_prefix, ticks_key
from pipelines.stores.store import Store
from pipelines.triggers.kept import get_json, swap_json, swap_json_of

_KEPT = 200


@dataclass(frozen=True)
class Tick:
    """One or several evaluations one after the other that came to the same.

    Attributes:
        at: When the first was, ISO 8601.
        last: When the last was.
        count: How many there were.
        what: What was decided; ``error`` where nothing could be.
        why: For people.
        key: Of the launch, if it was about one.
        run: The run, if one was launched.
        snapshot: Digest of the data, if that was read.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    at: str
    last: str
    count: int
    what: str
    why: str
    key: str = ""
    run: str = ""
    snapshot: str = ""

    @classmethod
    def of(
        cls, at: datetime, what: str, why: str, key: str = "", *, run: str = "", snapshot: str = ""
    ) -> Tick:
        """Return one evaluation."""
        text = at.astimezone(UTC).isoformat(timespec="seconds")
        return cls(text, text, 1, what, why, key, run, snapshot)

    @property
    def same(self) -> tuple[str, str, str]:
        """What tells whether another evaluation came to the same."""
        # How long already is said with the first two, and how old with data that was read.
        told = "" if self.what in ("wait", "hold") else self.snapshot or self.why
        return self.what, self.key or told, self.run


_Change = Callable[[list[Tick]], Tick]
_TICKS = TypeAdapter(tuple[Tick, ...])


def note(store: Store, name: str, uid: str, tick: Tick, *, of_last: bool = False) -> Tick:
    """Keep an evaluation; one that came to what the one before did is counted with it.

    Args:
        store: Where.
        name: Of the trigger.
        uid: Of the trigger; empty where it cannot be read, then nothing is copied to its days.
        tick: The evaluation.
        of_last: Whether it tells how a launch went on that was noted when it began.

    Returns:
        The row as it is kept: its count says whether the one before came to the same.
    """

    def noted(rows: list[Tick]) -> Tick:
        begun = _begun(rows, tick) if of_last else None
        if begun is not None:
            rows[begun] = replace(rows[begun], run=tick.run, why=tick.why)
            return rows[begun]
        if rows and rows[-1].same == tick.same:
            rows[-1] = replace(rows[-1], last=tick.last, count=rows[-1].count + 1, why=tick.why)
        else:
            rows.append(tick)
        return rows[-1]

    return _noted(store, name, uid, tick, noted)


def tell_once(store: Store, name: str, tick: Tick) -> bool:
    """Keep what people are told once, such as that a run takes long; whether it is new.

    Args:
        store: Where.
        name: Of the trigger.
        tick: What is told; its ``what`` and ``key`` say whether another one is the same.
    """
    new: list[bool] = []

    def told(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
        late = _rows(before, "late")
        new.append((tick.what, tick.key) not in {(row.what, row.key) for row in late})
        kept = [*late, tick] if new[-1] else late
        return {**(before or {}), "late": [asdict(row) for row in kept[-_KEPT:]]}

    if (tick.what, tick.key) in {(row.what, row.key) for row in read_late(store, name)}:
        return False
    swap_json_of(store, name, ticks_key(name), told)
    return new[-1]


def read_late(store: Store, name: str) -> tuple[Tick, ...]:
    """Return what was told once of a trigger: what was overdue, and what took long."""
    return _rows(get_json(store, ticks_key(name)), "late")


def read_ticks(store: Store, name: str) -> tuple[Tick, ...]:
    """Return the latest evaluations of a trigger, the oldest first; none where they are damaged."""
    return _rows(get_json(store, ticks_key(name)))


def begun_only(rows: Sequence[Tick]) -> set[str]:
    """Return the keys of launches that were noted when they began, and not when they ended."""
    last = {row.key: row.run for row in rows if row.what == "launch"}
    return {key for key, run in last.items() if not run}


def all_ticks(store: Store, name: str, uid: str) -> Iterator[Tick]:
    """Yield every evaluation that was kept, the oldest first; damaged days are left out."""
    latest = read_ticks(store, name)
    begin = latest[0].at if latest else ""
    for key in sorted(store.list(tick_days_prefix(uid))):
        for row in _rows(get_json(store, key)):
            if not begin or row.at < begin:
                yield row
    yield from latest


def ticks_of_day(store: Store, name: str, uid: str, date: str) -> tuple[Tick, ...]:
    """Return the evaluations of a day in UTC, also those that began before it or went on after it.

    Args:
        store: Where.
        name: Of the trigger.
        uid: Of the trigger.
        date: ISO 8601, such as ``2026-11-27``.
    """
    wanted = tick_day_key(uid, date)
    before = sorted(key for key in store.list(tick_days_prefix(uid)) if key < wanted)[-1:]
    # The last row of the day before may go on for days.
    rows = [row for key in (*before, wanted) for row in _rows(get_json(store, key))]
    found = {row.at + row.what + row.key: row for row in (*rows, *read_ticks(store, name))}
    return tuple(row for row in found.values() if row.at[:10] <= date <= row.last[:10])


def _begun(rows: Sequence[Tick], tick: Tick) -> int | None:
    """Return where the beginning of a launch was noted, others may have looked at meanwhile."""
    for number in range(len(rows) - 1, -1, -1):
        if (rows[number].what, rows[number].key) == (tick.what, tick.key):
            return number
    return None


def _noted(store: Store, name: str, uid: str, tick: Tick, change: _Change) -> Tick:
    found: list[Tick] = []

    def noted(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
        rows = list(_rows(before))
        found.append(change(rows))
        copied = str((before or {}).get("copied", ""))
        leaving = _leaving(rows, copied, tick.last[:10])
        if uid and leaving:
            _copy(store, uid, leaving)
            copied = leaving[-1].at
        kept = [asdict(row) for row in rows[-_KEPT:]]
        return {**(before or {}), "ticks": kept, "copied": copied}

    swap_json_of(store, name, ticks_key(name), noted)
    return found[-1]


def _leaving(rows: Sequence[Tick], copied: str, today: str) -> list[Tick]:
    """Return the rows to be copied: nothing is added to them any more, and their day is over."""
    begin = max((n + 1 for n, row in enumerate(rows) if row.at == copied), default=0)
    return [
        row
        for number, row in enumerate(rows[:-1])
        if number >= begin and (row.at[:10] < today or number < len(rows) - _KEPT)
    ]


def _copy(store: Store, uid: str, rows: Sequence[Tick]) -> None:
    """Add rows to the days that they began on; those that are there already stay."""
    for date, group in groupby(rows, key=lambda row: row.at[:10]):
        added = list(group)

        def joined(
            before: Mapping[str, Any] | None, added: Sequence[Tick] = added
        ) -> Mapping[str, Any]:
            there = {(row.at, row.what, row.key): row for row in _rows(before)}
            there |= {(row.at, row.what, row.key): row for row in added}
            ordered = sorted(there.values(), key=lambda row: row.at)
            return {"ticks": [asdict(row) for row in ordered]}

        swap_json(store, tick_day_key(uid, date), joined)


def _rows(content: Mapping[str, Any] | None, name: str = "ticks") -> tuple[Tick, ...]:
    try:
        return _TICKS.validate_python((content or {}).get(name, ()))
    except (ValidationError, AttributeError):
        return ()
