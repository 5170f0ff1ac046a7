"""Bringing an index up to date with its store: all of it, or what the journal announces.

Whatever the order in which values are found, the rows are the same in the end. A refresh that is
killed is done again from its beginning: its mark of time is written last.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

from pipelines.lineage.index.announced import Announcements, announced_since
from pipelines.lineage.index.contents import (
    KINDS,
    Kind,
    drop_unused_labels,
    insert_content,
    read_wanted,
    wanted_of,
)
from pipelines.lineage.index.database import Transactions, get_meta, put_indexes, put_meta
from pipelines.lineage.index.deriving import derive
from pipelines.lineage.index.facts import ExecutionFacts
from pipelines.lineage.index.inserting import Inserter
from pipelines.lineage.index.releases import insert_releases, read_releases, settle_standings
from pipelines.lineage.index.run_reading import (
    insert_run,
    is_old,
    listed_runs,
    read_execution,
    read_run,
    what_of,
)
from pipelines.lineage.index.sources import (
    insert_page,
    insert_source,
    read_source,
    wanted_pages,
    wanted_sources,
)
from pipelines.lineage.index.values import read_blob
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import TOMBSTONES, blob_key, tree_key
from pipelines.stores.store import KeyMissing, Store

THREADS = 32
_BATCH = 128
_TRANSACTION_S = 10.0
_OVERLAP = timedelta(days=2)
"""How far clocks of machines may be apart, and how long what is announced may take to be there."""

_FULL = timedelta(days=1)
_ABSENT = "is not there, and the record of a run names it"
_WATERMARK, _LISTED, _CHANGED = "watermark", "listed", "changed"

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
        self._transactions = Transactions(database, _TRANSACTION_S)
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
        with self._kept():
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
        new = tuple(run for run in runs if run not in known)
        with self._kept():
            self._read(Announcements(runs=new, releases=None, gc=True), again=True)
            self._note(_LISTED, now)
            self._note(_WATERMARK, now)

    def _read(self, found: Announcements, *, again: bool) -> None:
        """Read what was found, then what its rows refer to, then what follows.

        Args:
            found: Where there may be something new.
            again: Also look again for what could not be read before.
        """
        before = self._database.total_changes
        self._read_runs(found.runs)
        self._read_stubs(again=again)
        if found.releases is None or found.releases:
            read = read_releases(self._store, self._database, found.releases)
            with self._writing():
                insert_releases(self._inserter, read)
        if again:
            self._look_again()
        if found.gc:
            self._read_collected()
        self._read_sources()
        self._read_contents()
        if again or found.gc:
            with self._writing():
                put_indexes(self._database)
                drop_unused_labels(self._database)
        news = self._database.total_changes != before
        with self._writing():
            derive(self._database, news=news)
            if news:
                settle_standings(self._database)
                put_meta(self._database, _CHANGED, datetime.now(UTC).isoformat())

    def _note(self, name: str, moment: datetime) -> None:
        with self._writing():
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
                    if not is_old(self._inserter, one):
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

    # what records refer to ------------------------------------------------------------------------

    def _look_again(self) -> None:
        """Look again for all that could not be read."""
        with self._writing():
            for table in _STATES:
                self._database.execute(
                    f"UPDATE {table} SET state = NULL WHERE state != 'read'"  # noqa: S608 ours
                )

    def _read_collected(self) -> None:
        """Look again for what was read, or not found, of values that have tombstones."""
        stones = {
            key.removeprefix(TOMBSTONES).removesuffix(".json")
            for key in self._store.list(TOMBSTONES)
        }
        owned = [
            (sha.hex(), what, owner)
            for sha, what, owner in self._database.execute("SELECT * FROM read_from").fetchall()
            if sha.hex() in stones
        ]
        keys = [key for sha, _, _ in owned for key in (blob_key(sha), tree_key(sha))]
        stats = self._store.stat_many(keys)
        there = {key for key, stat in zip(keys, stats, strict=True) if stat}
        with self._writing():
            for sha, what, owner in owned:
                table, key = _STATES_BY_WHAT[what]
                if not {blob_key(sha), tree_key(sha)} & there:
                    self._database.execute(
                        f"UPDATE {table} SET state = NULL WHERE {key} = ?",  # noqa: S608 ours
                        (owner,),
                    )

    def _read_sources(self) -> None:
        for batch in batches(wanted_sources(self._database), _BATCH):
            found = call_each(lambda _, sha: read_source(self._store, sha), iter(batch), THREADS)
            with self._writing():
                for (source, sha), data in zip(batch, found, strict=True):
                    insert_source(self._inserter, source, sha, data)
        for batch in batches(wanted_pages(self._database), _BATCH):
            pages = call_each(lambda _, sha: read_blob(self._store, sha), iter(batch), THREADS)
            with self._writing():
                for (page, sha), data in zip(batch, pages, strict=True):
                    insert_page(self._inserter, page, sha, data)

    def _read_contents(self) -> None:
        found = True
        while found:  # what was found lets others look again
            found = sum(self._read_kind(kind) for kind in KINDS) > 0

    def _read_kind(self, kind: Kind) -> bool:
        """Read what of a kind has not been looked for; whether there was any."""
        wanted = wanted_of(self._database, kind)
        if wanted:
            for batch in batches(wanted, kind.at_once):
                found = call_each(
                    partial(read_wanted, self._store, kind), ((one,) for one in batch), THREADS
                )
                with self._writing():
                    for one, files in zip(batch, found, strict=True):
                        insert_content(self._inserter, kind, one, files)
        return bool(wanted)

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        try:
            with self._transactions.writing():
                yield
        except BaseException:
            self._inserter.forget()
            raise

    @contextlib.contextmanager
    def _kept(self) -> Generator[None]:
        """Keep what was written within, also where the store fails then."""
        try:
            yield
        finally:
            self._transactions.end()


_STATES_BY_WHAT = {
    "page": ("page", "id"),
    **{kind.what: (kind.table, kind.key) for kind in KINDS},
}
_STATES = ("source", *(table for table, _ in _STATES_BY_WHAT.values()))

_Item = TypeVar("_Item")


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield the items in lists of at most this length."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _within(moment: str, now: datetime, length: timedelta) -> bool:
    return timedelta(0) <= now - datetime.fromisoformat(moment) < length
