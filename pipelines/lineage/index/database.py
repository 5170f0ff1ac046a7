"""The file of an index: where it lies, who may write it, and when it is of no use any more."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import sqlite3
import time
from collections.abc import Generator
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.files import disk_faults
from pipelines.lineage.index.schema import APPLICATION, INDEXES, TABLES, VERSION

_CACHE_KIB = 128_000
_JOURNAL_PAGES = 16_384
"""The journal is copied into place after so many pages of 4 KiB; most are in it more than once."""
_WAIT_S = 60.0
_USELESS = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNFINISHED = ".new"


class UnusableError(UserError):
    """The disk of this machine does not let an index be used."""


@contextlib.contextmanager
def _disk(path: Path) -> Generator[None]:
    try:
        with disk_faults(path.parent):
            yield
    except UserError as error:
        raise UnusableError(error.what, error.fix) from error


def index_path(uri: str) -> Path:
    """Return where the index of the store at this address lies on this machine.

    Each version has its own: two releases of slimline would make one anew in turn.
    """
    name = hashlib.sha256(uri.encode()).hexdigest()
    return cache_folder() / "index" / f"{name}.{VERSION}.sqlite"


def unfinished_path(path: Path) -> Path:
    """Return where an index is made that is to take the place of the one at ``path``."""
    return path.with_name(path.name + _UNFINISHED)


def opening(path: Path) -> Path:
    """Return what is locked while the database at ``path`` is opened, or changes place.

    Who brings it up to date holds the lock of the database itself for as long as that takes; who
    only reads need not wait for that.
    """
    return path.with_name(f"{path.name}.open")


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Generator[None]:
    """Hold the lock of the file at ``path`` among all processes of this machine.

    Args:
        path: Of a database; the lock lies beside it.
        shared: With others that ask for the same; not with whoever writes.
        wait: Until others let go of it.

    Raises:
        UserError: The disk there cannot be written, or gives no locks.
        BlockingIOError: Others hold it, and it is not waited for.
    """
    with _disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with _disk(path):
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, kind if wait else kind | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def connect(path: Path | None) -> sqlite3.Connection:
    """Open a database for writing; its tables are made where it has none.

    Args:
        path: Of its file, whose lock is held; None is in memory.

    Raises:
        sqlite3.Error: It cannot be used.
    """
    if path:  # it holds names of people: nobody else's to read, as what SQLite puts beside it
        with _disk(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path or ":memory:", timeout=_WAIT_S, isolation_level=None)
    try:
        database.execute("PRAGMA secure_delete = ON")  # what was erased is nowhere in the file
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        database.execute(f"PRAGMA wal_autocheckpoint = {_JOURNAL_PAGES}")
        if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            database.executescript(
                f"BEGIN; {TABLES} PRAGMA application_id = {APPLICATION};"
                f" PRAGMA user_version = {VERSION}; COMMIT;"
            )
    except BaseException:
        database.close()
        raise
    return database


def connect_reading(path: Path) -> sqlite3.Connection:
    """Open a database that nobody changes through this connection."""
    database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    database.execute("PRAGMA query_only = 1")
    database.execute("PRAGMA mmap_size = 1073741824")
    database.execute("SELECT count(*) FROM meta").fetchone()  # opens its files now
    return database


def is_current(path: Path) -> bool:
    """Whether an index of this version lies there, as far as can be told without reading it all."""
    if not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_WAIT_S)) as database:
            application = database.execute("PRAGMA application_id").fetchone()
            version = database.execute("PRAGMA user_version").fetchone()
            return (application[0], version[0]) == (APPLICATION, VERSION)
    except sqlite3.DatabaseError as error:
        if is_useless(error):
            return False
        raise


def is_useless(error: sqlite3.Error) -> bool:
    """Whether the file of a database is damaged: it is to be made anew."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _USELESS


def remove(path: Path) -> None:
    """Remove a database whose lock is held."""
    with locked(opening(path)):
        _remove(path)


def remove_older(path: Path) -> None:
    """Remove what versions before this one have made of the same store, unless it is being written.

    It holds names of people, which an erasure by this version would not take out. Who reads one
    goes on reading it; an older release that asks again makes its own anew.
    """
    store = path.name.partition(".")[0]
    named = re.compile(rf"{store}(?:\.([0-9]+))?\.sqlite(?:{re.escape(_UNFINISHED)})?")
    for old in sorted(path.parent.glob(f"{store}.*")):
        version = named.fullmatch(old.name)
        if version and int(version[1] or 0) < VERSION:
            with contextlib.suppress(BlockingIOError), locked(old, wait=False):
                remove(old)


def _remove(path: Path) -> None:
    with _disk(path):
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)


def swap(unfinished: Path, path: Path) -> None:
    """Let a finished database take the place of another one, whose lock is held.

    Who reads the old one goes on reading it. A kill in between leaves no index, and the finished
    one under its other name. The journal of the old one must go before anybody opens the new one.
    """
    with locked(opening(path)):
        _remove(path)
        with _disk(path):
            unfinished.replace(path)


def get_meta(database: sqlite3.Connection, name: str) -> str | None:
    """Return what the index notes of itself under this name."""
    found = database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return found[0] if found else None


def put_indexes(database: sqlite3.Connection) -> None:
    """Make the indexes that only questions use, where they are not there yet."""
    for sql in INDEXES.split(";"):
        database.execute(sql)


def put_meta(database: sqlite3.Connection, name: str, value: str) -> None:
    """Note something of the index itself."""
    database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


class Transactions:
    """Several writings as one transaction, for so long that few pages are written twice.

    Digests come in no order: a few new ones change pages all over the file, and each transaction
    writes the pages that it changed twice, into the journal and into their place.

    Args:
        database: Nobody else begins or ends its transactions.
        length_s: A transaction ends with the first writing after so long: a kill loses no more.
    """

    def __init__(self, database: sqlite3.Connection, length_s: float) -> None:
        self._database = database
        self._length_s = length_s
        self._began = 0.0

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """Write within the open transaction, or begin one; an error undoes all of it."""
        if not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")
            self._began = time.monotonic()
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        if time.monotonic() - self._began >= self._length_s:
            self.end()

    def end(self) -> None:
        """Keep what was written, if anything was."""
        if self._database.in_transaction:
            self._database.execute("COMMIT")


def fault_of(error: sqlite3.Error, path: Path) -> UnusableError:
    """Return what keeps an index from being used as an error with its fix."""
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return UnusableError(
        f"the index {path} cannot be used: {error}",
        f"free some space in {path.parent}"
        if full
        else "export XDG_CACHE_HOME=FOLDER with a folder that this user can write",
    )
