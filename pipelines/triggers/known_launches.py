"""What was read of a trigger's launches and never changes: for a process that shows them often.

Attempts, refusals and records of runs that have ended are written once. That no further attempt
follows may be taken back, so that is kept with its version. Nothing is decided on this: a tick
reads what the store holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

from pipelines.runs.records import RunRecord

T = TypeVar("T")


class KnownLaunches:
    """Keeps it for one trigger; may be used by many threads, of which two may read the same."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, object]] = {}
        self._records: dict[str, RunRecord] = {}

    def value(self, place: str, version: str, read: Callable[[], T]) -> T:
        """Return what a key holds, read where it is not known in this version.

        Args:
            place: The key.
            version: Of what it holds; empty for what is written once.
            read: Reads it; what it raises is not kept.
        """
        known = self._values.get(place)
        if known and known[0] == version:
            return cast("T", known[1])
        found = read()
        self._values[place] = (version, found)
        return found

    def record(self, run: str) -> RunRecord | None:
        """Return the record of a run that has ended, or None: it is not known to have."""
        return self._records.get(run)

    def keep(self, record: RunRecord) -> RunRecord:
        """Keep the record of a run as the store holds it for ever, and return what is kept.

        Of very many runs the steps would fill the memory: those that did not fail are left out, as
        is how the variants are made.
        """
        failed = {name: step for name, step in record.steps.items() if step["state"] == "failed"}
        kept = self._records[record.run] = replace(record, steps=failed, variants={})
        return kept
