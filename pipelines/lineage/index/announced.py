"""What the journal of a store announces that the index does not hold yet.

Whoever writes something puts an empty value ``journal/<date>/<time>-<kind>-<id>`` before it: so
what is announced may not be there yet, and is asked for again until it is, or is two days old.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.stores.call_each import call_each
from pipelines.stores.layout import JOURNAL, announced_by, run_key
from pipelines.stores.store import Stat, Store

_LOG = re.compile(r"(?P<name>.+)\.(?P<seq>\d+)")
_DAYS_MAX = 60
_THREADS = 16


@dataclass(frozen=True)
class Announcements:
    """Where there may be something new.

    Attributes:
        runs: Identifiers of runs.
        releases: Names of releases whose notes and log are to be read; None is all there are.
        gc: Whether something was collected or erased.
    """

    runs: tuple[str, ...] = ()
    releases: frozenset[str] | None = frozenset()
    gc: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.runs or self.gc or self.releases is None or self.releases)


def announced_since(
    store: Store, database: sqlite3.Connection, since: datetime, now: datetime
) -> Announcements | None:
    """Return what was announced since a moment and is not in the index.

    Args:
        store: Which store.
        database: Its index.
        since: From the beginning of this day on.
        now: The present, by this machine's clock; others may be a day ahead.

    Returns:
        None where the store is another one than the index was made of.

    Raises:
        UserError: The store cannot be read.
    """
    prefixes = _prefixes(since, now)
    sample = _sample(database)
    answers = call_each(
        lambda prefix, run: _ask(store, prefix, run),
        [*((prefix, "") for prefix in prefixes), *(("", run) for run in sample)],
        _THREADS,
    )
    if any(answer is None for answer in answers):
        return None
    keys = [key for answer in answers if isinstance(answer, list) for key in answer]
    return _unknown(database, keys)


def _ask(store: Store, prefix: str, run: str) -> list[str] | Stat | None:
    return store.stat(run_key(run)) if run else list(store.list(prefix))


def _sample(database: sqlite3.Connection) -> list[str]:
    """Return two runs that are there as long as the store is the same."""
    rows = database.execute(
        "SELECT run FROM run WHERE id IN"
        " ((SELECT min(id) FROM run WHERE whole), (SELECT max(id) FROM run WHERE whole))"
    )
    return [run for (run,) in rows]


def _prefixes(since: datetime, now: datetime) -> list[str]:
    days = (now.date() - since.date()).days + 1
    if days > _DAYS_MAX:
        return [JOURNAL]
    return [f"{JOURNAL}{since.date() + timedelta(days=day)}/" for day in range(days + 1)]


def _unknown(database: sqlite3.Connection, keys: list[str]) -> Announcements:
    runs: dict[str, None] = {}
    releases: set[str] = set()
    gc = False
    for kind, name in _entries(keys):
        match kind:
            case "run" if not _has(database, "SELECT 1 FROM run WHERE run = ? AND whole", name):
                runs[name] = None
            case "note" if not _has(database, "SELECT 1 FROM release WHERE run = ?", name):
                releases.add(_name_of(database, name))
            case "log" if (entry := _LOG.fullmatch(name)) and not _has(
                database,
                "SELECT 1 FROM release_log WHERE name = ? AND seq = ?",
                entry["name"],
                int(entry["seq"]),
            ):
                releases.add(entry["name"])
            case "gc" | "erase":
                gc = True
            case _:
                pass
    return Announcements(tuple(runs), frozenset(releases), gc)


def _entries(keys: list[str]) -> Iterator[tuple[str, str]]:
    for key in keys:
        if found := announced_by(key):
            yield found[1], found[2]


def _has(database: sqlite3.Connection, sql: str, *values: object) -> bool:
    return database.execute(sql, values).fetchone() is not None


def _name_of(database: sqlite3.Connection, run: str) -> str:
    """Return the name of the configuration of a run: the first part of its identifier."""
    found = database.execute("SELECT name FROM run WHERE run = ?", (run,)).fetchone()
    return found[0] if found else re.sub(r"-\d{8}-\d{6}-[0-9a-f]+$", "", run)
