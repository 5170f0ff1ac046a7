"""Checksums of what has not changed since: so that a second look at large data is quick."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from components.contract.errors import UserError
from pipelines.disk.cache_folder import CacheWarning

_SETTLED_NS = 2_000_000_000
"""A file that changed this recently could change again without its times showing it."""

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, crc32c TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;
"""


class FileState(NamedTuple):  # not a dataclass: there may be a million of them
    """What tells, without reading it, whether a file is still the same.

    Attributes:
        path: Absolute.
        size_bytes: Length.
        mtime_ns: When its content changed; can be set back by anyone.
        ctime_ns: When content or attributes changed; cannot.
        inode: Its number in the file system.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> FileState:
        """Return the state that ``status`` describes."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class ObjectState(NamedTuple):
    """What tells, without downloading it, whether an object in a bucket is still the same.

    Attributes:
        bucket: ``gs://name``, or another service's.
        name: Of the object, whole.
        version: Another one whenever its bytes change.
        size_bytes: Length.
        checksum: As the service gives it. Versions are enough for Google's service; others may
            begin to count anew.
    """

    bucket: str
    name: str
    version: str
    size_bytes: int
    checksum: str

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"{self.bucket}/{self.name}"


def hash_unchanged(state: FileState) -> str:
    """Return the sha256 of a file that is as ``state`` says, before and after it is read.

    Raises:
        UserError: The file changed meanwhile.
        OSError: It cannot be read.
    """
    with Path(state.path).open("rb") as file:
        before = FileState.of(state.path, os.fstat(file.fileno()))
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        after = FileState.of(state.path, os.fstat(file.fileno()))
    if not state == before == after:
        raise UserError(
            f"{state.path} changed while it was read", "run again when nothing writes to the data"
        )
    return sha256


class ChecksumCache:
    """A SQLite file of checksums, open inside ``with``.

    Losing it costs time only: what is no database is replaced by an empty one, and where the disk
    does not let it be used, that is said by a ``CacheWarning`` and nothing is known any more.

    Args:
        path: Made when it does not exist; several processes may use it at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        with self._losing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._database = _opened(self.path)
            except sqlite3.OperationalError:
                raise  # locked or not writable, which says nothing against its content
            except sqlite3.DatabaseError:
                self.path.unlink(missing_ok=True)
                self._database = _opened(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._database:
            self._database.close()

    def known(self, root: str) -> dict[FileState, str]:
        """Return the checksums of all files under a folder, by the state they were hashed in.

        Args:
            root: Absolute path of a folder or of one file.
        """
        inside = root.rstrip("/")
        rows = self._rows(
            "SELECT path, size_bytes, mtime_ns, ctime_ns, inode, sha256 FROM files "
            "WHERE path = ? OR (path >= ? AND path < ?)",
            (root, f"{inside}/", f"{inside}0"),  # "0" is the letter after "/"
        )
        return {FileState._make(row[:-1]): row[-1] for row in rows}

    def remember(self, checksums: Iterable[tuple[FileState, str]], seen_ns: int) -> None:
        """Keep checksums for later.

        Args:
            checksums: States and the sha256 of each.
            seen_ns: Time just before the states were taken. Files that had changed shortly
                before are left out.
        """
        rows = [
            (s.path, s.size_bytes, s.mtime_ns, s.ctime_ns, s.inode, sha256)
            for s, sha256 in checksums
            if max(s.mtime_ns, s.ctime_ns) < seen_ns - _SETTLED_NS
        ]
        self._keep("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)

    def known_objects(self, bucket: str, prefix: str) -> dict[ObjectState, str]:
        """Return the checksums of all objects whose names begin so, by their state then.

        Args:
            bucket: ``gs://name``, or another service's.
            prefix: Any text.
        """
        rows = self._rows(
            "SELECT name, generation, size_bytes, crc32c, sha256 FROM objects "
            "WHERE bucket = ? AND name >= ? AND name < ?",
            (_column(bucket), prefix, f"{prefix}\U0010ffff"),
        )
        return {
            ObjectState(bucket, name, str(version), size_bytes, checksum): sha256
            for name, version, size_bytes, checksum, sha256 in rows
        }

    def remember_objects(self, checksums: Mapping[ObjectState, str]) -> None:
        """Keep the sha256 of objects for later."""
        rows = [(_column(state.bucket), *state[1:], sha256) for state, sha256 in checksums.items()]
        self._keep("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _rows(self, question: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Return the answer to a question, which is empty once the database is lost."""
        with self._losing():
            if self._database:
                return self._database.execute(question, values).fetchall()
        return []

    def _keep(self, order: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows, all or none."""
        with self._losing():
            if self._database:
                with self._database:
                    self._database.executemany(order, rows)

    @contextmanager
    def _losing(self) -> Generator[None]:
        """Say what keeps the database from being used, and do without from then on."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            fix = (
                f"free some space in {self.path.parent}"
                if full
                else f"make {self.path.parent} writable, or delete the file"
            )
            warnings.warn(
                f"the checksum cache {self.path} cannot be used: {error}; data is hashed again "
                f"({fix})",
                CacheWarning,
                stacklevel=2,
            )
            if self._database:
                self._database.close()
            self._database = None


def _column(bucket: str) -> str:
    """Return how the database calls a bucket: those of Google by their name alone, as ever."""
    return bucket.removeprefix("gs://")


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=60)
    try:
        with database:
            database.executescript(_TABLES)
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
