"""Opening the index of a store: made where there is none, brought up to date, then read only."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from pipelines.disk.cache_folder import CacheWarning
from pipelines.lineage.index.database import (
    UnusableError,
    connect,
    connect_reading,
    fault_of,
    index_path,
    is_current,
    is_useless,
    locked,
    opening,
    remove,
    remove_older,
    swap,
    unfinished_path,
)
from pipelines.lineage.index.refreshing import GoneError, Refresher, Told
from pipelines.stores.read_through import ReadThroughStore
from pipelines.stores.store import Store


def _silent(_done: int, _all: int) -> None:
    """Tell nobody."""


class OpenIndex:
    """An index that is read; open inside ``with``.

    Args:
        database: Nobody changes anything through it.
        uri: Of the store.
    """

    def __init__(self, database: sqlite3.Connection, uri: str) -> None:
        self._database = database
        self.uri = uri

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Iterable[tuple[Any, ...]]:
        """Return the rows of a query; its tables are those of ``schema.py``."""
        return self._database.execute(sql, parameters)

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        return self._database.execute(sql, parameters).fetchone()

    @property
    def stamp(self) -> str:
        """Another one with every piece of news; empty before the first."""
        row = self.one("SELECT value FROM meta WHERE name = 'changed'")
        return str(row[0]) if row else ""

    def close(self) -> None:
        """Close it; nothing can be asked afterwards."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_index(store: Store, *, refresh: bool = True, told: Told = _silent) -> OpenIndex:
    """Open the index of a store.

    Args:
        store: Which store.
        refresh: Whether it is brought up to date first.
        told: Hears how far the reading of runs is, which takes long where there is no index yet.

    Raises:
        UserError: The store cannot be read. Where this machine's disk cannot be written, that is
            warned of, and all is read into memory.
    """
    store = _itself(store)
    path = index_path(store.uri)
    try:
        with _faults(path):
            if not _brought_up_to_date(store, path, told, refresh=refresh):
                rebuild(store, told)
            with locked(opening(path), shared=True):
                return OpenIndex(connect_reading(path), store.uri)
    except UnusableError as error:
        warnings.warn(
            f"{error.what}; the whole store is read for this question ({error.fix})",
            CacheWarning,
            stacklevel=2,
        )
        return OpenIndex(_in_memory(store, told), store.uri)


def read_index(store: Store) -> OpenIndex | None:
    """Open the index of a store as it is, whoever writes it at the time; None where there is none.

    A service has one open in each of its threads: none is mapped into memory, where the same pages
    would count as many times as there are threads.

    Raises:
        UserError: The disk of this machine does not let it be used.
    """
    store = _itself(store)
    path = index_path(store.uri)
    with _faults(path), locked(opening(path), shared=True):
        if not is_current(path):
            return None
        database = connect_reading(path)
        database.execute("PRAGMA mmap_size = 0")
        return OpenIndex(database, store.uri)


def bring_up_to_date(store: Store, told: Told = _silent) -> None:
    """Bring the index of a store up to date, and make it where there is none.

    Args:
        store: Which store.
        told: Hears how far the reading of runs is.

    Raises:
        UserError: The store cannot be read, or the disk of this machine cannot be used.
    """
    store = _itself(store)
    path = index_path(store.uri)
    with _faults(path):
        if not _brought_up_to_date(store, path, told, refresh=True):
            rebuild(store, told)


def rebuild(store: Store, told: Told = _silent) -> Path:
    """Make the index of a store from the store alone, and let it take the old one's place.

    Questions are answered by the old one meanwhile. Who is killed here leaves what was read so
    far, and the next call goes on from there.

    Returns:
        Where it lies.

    Raises:
        UserError: The store cannot be read, or the disk of this machine cannot be written.
    """
    store = _itself(store)
    path = index_path(store.uri)
    unfinished = unfinished_path(path)
    with _faults(path), locked(unfinished):
        if not _made(unfinished, lambda database: Refresher(store, database, told).read_all()):
            remove(unfinished)
            finished = _made(
                unfinished, lambda database: Refresher(store, database, told).read_all()
            )
            assert finished, "an index that has just been begun is of this store"
        with locked(path):
            swap(unfinished, path)
        remove_older(path)
    return path


def _itself(store: Store) -> Store:
    """Return the store without what this machine keeps of it: that may have been erased there."""
    return store.behind if isinstance(store, ReadThroughStore) else store


def _in_memory(store: Store, told: Told) -> sqlite3.Connection:
    """Return an index that is nowhere but in memory."""
    database = connect(None)
    Refresher(store, database, told).read_all()
    database.execute("PRAGMA query_only = 1")
    return database


def _brought_up_to_date(store: Store, path: Path, told: Told, *, refresh: bool) -> bool:
    """Bring an index up to date; False where there is none, or none of this store."""
    with locked(path):
        if not is_current(path):
            return False
        if not refresh:
            return True
        return _made(path, lambda database: Refresher(store, database, told).refresh())


def _made(path: Path, write: Callable[[sqlite3.Connection], None]) -> bool:
    """Write into an index whose lock is held; False where it is of no use any more."""
    if path.exists() and not is_current(path):
        remove(path)
    try:
        with contextlib.closing(connect(path)) as database:
            write(database)
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except GoneError:
        return False
    except sqlite3.DatabaseError as error:
        if is_useless(error):
            return False
        raise
    return True


@contextlib.contextmanager
def _faults(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise fault_of(error, path) from error
