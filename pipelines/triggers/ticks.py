"""Ticks: what a trigger's evaluations came to, equal ones told as one, the latest ones kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipelines.stores.layout import ticks_key
from pipelines.stores.store import Store
from pipelines.triggers.kept import get_json, swap_json

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


_TICKS = TypeAdapter(tuple[Tick, ...])


def note(store: Store, name: str, tick: Tick, *, of_last: bool = False) -> Tick:
    """Keep an evaluation; one that came to what the one before did is counted with it.

    Args:
        store: Where.
        name: Of the trigger.
        tick: The evaluation.
        of_last: Whether it tells how the one went on that was noted before.

    Returns:
        The row as it is kept: its count says whether the one before came to the same.
    """

    def noted(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
        rows = list(_rows(before))
        if of_last and rows and (rows[-1].what, rows[-1].key) == (tick.what, tick.key):
            rows[-1] = replace(rows[-1], run=tick.run, why=tick.why)
        elif rows and rows[-1].same == tick.same:
            rows[-1] = replace(rows[-1], last=tick.last, count=rows[-1].count + 1, why=tick.why)
        else:
            rows.append(tick)
        return {"ticks": [asdict(row) for row in rows[-_KEPT:]]}

    return _rows(swap_json(store, ticks_key(name), noted))[-1]


def read_ticks(store: Store, name: str) -> tuple[Tick, ...]:
    """Return the latest evaluations of a trigger, the oldest first; none where they are damaged."""
    return _rows(get_json(store, ticks_key(name)))


def _rows(content: Mapping[str, Any] | None) -> tuple[Tick, ...]:
    try:
        return _TICKS.validate_python((content or {}).get("ticks", ()))
    except (ValidationError, AttributeError):
        return ()
