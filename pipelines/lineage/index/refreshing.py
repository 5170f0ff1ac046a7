"""Bringing an index up to date with its store: all of it, or what the journal announces.

Whatever the order in which values are found, the rows are the same in the end. A refresh that is
killed is done again from its beginning: its mark of time is written last.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from pipelines.lineage.index.announced import Announced, announced_since
from pipelines.lineage.index.database import get_meta, put_meta, transaction
from pipelines.lineage.index.deriving import derive
from pipelines.lineage.index.facts import ExecutionFacts
from pipelines.lineage.index.inserting import Inserter
from pipelines.lineage.index.releases import insert_releases, read_releases
from pipelines.lineage.index.run_reading import (
    insert_run,
    listed_runs,
    read_execution,
    read_run,
    what_of,
)
from pipelines.stores.call_each import call_each
from pipelines.stores.store import KeyMissing, Store

THREADS = 32
_BATCH = 128
_OVERLAP = timedelta(days=2)
"""How far clocks of machines may be apart, and how long what is announced may take to be there."""

_FULL = timedelta(days=1)
_ABSENT = "is not there, and the record of a run names it"
_WATERMARK, _LISTED = "watermark", "listed"

Told = Callable[[int, int], None]
"""Takes how many runs have been read, and how many there are."""


class GoneError(Exception):
    """What the index holds is not in the store any more: it is to be made anew."""


class Refresher:
    """Writes into one index what its store holds.

    Args:
        store: Which store.
        database: The index, whose lock is held.
        told: Hears how far the reading of runs is.
    """

    def __init__(
        self, store: Store, database: sqlite3.Connection, told: Told = lambda _done, _all: None
    ) -> None:
        self._store = store
        self._database = database
        self._inserter = Inserter(database)
        self._told = told

    def refresh(self, now: datetime | None = None) -> None:
        """Read what is new: what the journal announces, and once a day all that is listed.

        Args:
            now: The present; None asks the clock.

        Raises:
            GoneError: The store is another one by now.
            UserError: The store cannot be read.
        """
        now = now or datetime.now(UTC)
        listed = get_meta(self._database, _LISTED)
        watermark = get_meta(self._database, _WATERMARK)
        if not listed or not watermark or not _within(listed, now, _FULL):
            self.read_all(now)
            return
        since = min(datetime.fromisoformat(watermark), now) - _OVERLAP
        found = announced_since(self._store, self._database, since, now)
        if found is None:
            raise GoneError(self._store.uri)
        if found:
            self._read(found, again=False)
        self._note(_WATERMARK, now)

    def read_all(self, now: datetime | None = None) -> None:
        """Read everything that the index does not hold yet, by listing the store.

        Raises:
            GoneError: A run that the index knows is not there any more.
            UserError: The store cannot be read.
        """
        now = now or datetime.now(UTC)
        runs = list(listed_runs(self._store))
        known = {run for (run,) in self._database.execute("SELECT run FROM run WHERE whole")}
        if gone := known.difference(runs):
            raise GoneError(min(gone))
        self._read(
            Announced(runs=tuple(run for run in runs if run not in known), releases=None, gc=True),
            again=True,
        )
        self._note(_LISTED, now)
        self._note(_WATERMARK, now)

    def _read(self, found: Announced, *, again: bool) -> None:
        """Read what was found, then what its rows refer to, then what follows.

        Args:
            found: Where there may be something new.
            again: Also look again for what could not be read before.
        """
        before = self._database.total_changes
        self._read_runs(found.runs)
        self._read_stubs(again=again)
        if found.releases is None or found.releases:
            notes = read_releases(self._store, self._database, found.releases)
            with self._writing():
                insert_releases(self._inserter, notes)
        with transaction(self._database):
            derive(self._database, news=self._database.total_changes != before)

    def _note(self, name: str, moment: datetime) -> None:
        put_meta(self._database, name, moment.isoformat())

    # runs -----------------------------------------------------------------------------------------

    def _read_runs(self, runs: Sequence[str]) -> None:
        done = 0
        for batch in batches(runs, _BATCH):
            read = call_each(
                lambda run: read_run(self._store, run), ((run,) for run in batch), THREADS
            )
            with self._writing():
                for one in read:
                    insert_run(self._inserter, one)
            done += len(batch)
            self._told(done, len(runs))

    def _read_stubs(self, *, again: bool) -> None:
        """Read the records that runs name and that are none of their own."""
        rows = self._database.execute(
            "SELECT record FROM execution WHERE version IS NULL"
            " AND (? OR record NOT IN (SELECT key FROM problem))",
            (again,),
        ).fetchall()
        for batch in batches([record for (record,) in rows], _BATCH):
            read = call_each(self._stub, ((record,) for record in batch), THREADS)
            with self._writing():
                for record, found in zip(batch, read, strict=True):
                    if isinstance(found, str):
                        self._inserter.put_problem(record, found)
                        if found != _ABSENT:
                            self._inserter.put_damaged_execution(record)
                    else:
                        self._inserter.put_execution(record, found)
                        self._inserter.drop_problem(record)

    def _stub(self, record: str) -> ExecutionFacts | str:
        """Return the record of an execution, or what is wrong with it."""
        try:
            return read_execution(self._store, record)
        except KeyMissing:
            return _ABSENT
        except ValueError as error:
            return what_of(error)

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        try:
            with transaction(self._database):
                yield
        except BaseException:
            self._inserter.forget()
            raise


_Item = TypeVar("_Item")


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield the items in lists of at most this length."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _within(moment: str, now: datetime, length: timedelta) -> bool:
    return timedelta(0) <= now - datetime.fromisoformat(moment) < length
