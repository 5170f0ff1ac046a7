"""A store in a folder of this machine or of a network file system.

A value is written to a temporary file of the same file system, synced, and linked to its key: the
link either creates the key or fails, whoever else tries, and a writer that is killed leaves at
most a temporary file, which a later writer sweeps away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.files import (
    beside,
    copy_hashed,
    disk_faults,
    make_folders,
    sync_folder,
)
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import kind_of, quarantine_key
from pipelines.stores.store import (
    KEY_CHARACTERS_MAX,
    TEMPORARY,
    KeyMissing,
    Stat,
    check_key,
    check_prefix,
    is_key,
)
from pipelines.stores.unfinished import MODE, UnfinishedFiles

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES)
"""Linking is not possible from here to there (another file system, another owner, too many)."""

_NO_VALUE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
"""Nothing is there, or a loop of links, or a socket."""

_THREADS = 8
"""Syncs that wait at the same time share one commit of the file system's journal."""


class DirectoryStore:
    """The ``Store`` in a folder.

    Args:
        root: The folder. The first write makes it.
        durable: False does not wait for the disk: after a power cut, values may be damaged.

    Raises:
        UserError: Something that is no folder stands there.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self._root = root
        self._durable = durable
        self._unfinished = UnfinishedFiles(root / TEMPORARY, durable=durable)
        with disk_faults(root):
            if root.exists() and not root.is_dir():
                raise UserError(
                    f"store {root}: a file stands where a folder is expected",
                    "name a folder, which need not exist yet",
                )

    @property
    def uri(self) -> str:
        """The absolute path of the folder."""
        return str(self._root)

    def path(self, key: str) -> Path:
        """Return where the value of ``key`` lies, or would lie."""
        return self._root / check_key(key)

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """See ``Store``."""
        path = self.path(key)
        with disk_faults(path):
            if self._has(key, path):
                # Its writer may have been killed between link and sync.
                self._sync(path.parent)
                return False
            with self._unfinished.write(data) as unfinished:
                won = _link_new(unfinished, path)
            self._sync(path.parent)
            return won

    def adopt(self, key: str, path: Path) -> bool:
        """Do ``put_if_absent`` with a finished file, which becomes the store's own if it can.

        Nobody may write into the file any more. Its bytes are not synced to the disk.
        """
        target = self.path(key)
        with disk_faults(target):
            try:
                path.chmod(MODE)
                return _link_new(path, target)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
        return self.put_if_absent(key, path)

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """See ``Store``."""
        return call_each(self.put_if_absent, items, _THREADS)

    def replace_if_match(self, key: str, data: bytes | Path, version: str) -> bool:
        """See ``Store``."""
        path = self.path(key)
        with disk_faults(path):
            if not self._is(path, version):
                return False
            with self._unfinished.write(data) as unfinished, self.locked(key):
                if not self._is(path, version):
                    return False
                # Clocks may stand still or step back; a version never does.
                after = max(time.time_ns(), path.stat().st_mtime_ns + 1)
                os.utime(unfinished, ns=(after, after))
                unfinished.replace(path)
                self._sync(path.parent)
            return True

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Store``."""
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"no range of bytes: {start} to {end}")
        with self._opened(key) as source:
            size = os.fstat(source).st_size
            end = size if end is None else min(end, size)
            parts: list[bytes] = []
            while start < end and (part := os.pread(source, end - start, start)):
                parts.append(part)
                start += len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def fetch(self, key: str, path: Path, *, link: bool = False) -> str:
        """See ``Store``."""
        with self._opened(key) as source, disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if link:
                sha256 = copy_hashed(source, None)
                if self._link_out(key, source, path):
                    return sha256
                os.lseek(source, 0, os.SEEK_SET)
            with beside(path) as unfinished:
                target = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
                try:
                    sha256 = copy_hashed(source, target)
                finally:
                    os.close(target)
                unfinished.replace(path)
            return sha256

    def fetch_many(
        self, items: Iterable[tuple[str, Path]], *, link: bool = False
    ) -> tuple[str, ...]:
        """See ``Store``."""
        return call_each(partial(self.fetch, link=link), items, os.cpu_count() or 1)

    def stat(self, key: str) -> Stat | None:
        """See ``Store``."""
        path = self.path(key)
        with disk_faults(path):
            try:
                found = path.stat()
            except OSError as error:
                if error.errno not in _NO_VALUE:
                    raise
                return None
        return Stat(found.st_size, _version(found)) if stat.S_ISREG(found.st_mode) else None

    def stat_many(self, keys: Iterable[str]) -> tuple[Stat | None, ...]:
        """See ``Store``."""
        return tuple(self.stat(key) for key in keys)  # quicker than to start a thread

    def list(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        folder = check_prefix(prefix).rpartition("/")[0]
        for key in self._walk(folder, prefix):
            if key.startswith(prefix) and is_key(key):
                yield key

    def foreign(self) -> Iterator[str]:
        """See ``Store``."""
        yield from (name for name in self._walk("", "") if not is_key(name))

    def delete_if_match(self, key: str, version: str) -> bool:
        """See ``Store``."""
        path = self.path(key)
        with disk_faults(path):
            if not self._is(path, version):
                return False
            with self.locked(key):
                if not self._is(path, version):
                    return False
                path.unlink()
                self._sync(path.parent)
            return True

    def locked(self, key: str) -> AbstractContextManager[None]:
        """Keep others from replacing or deleting this key: see ``UnfinishedFiles``."""
        return self._unfinished.locked(key)

    def _sync(self, folder: Path) -> None:
        if self._durable:
            sync_folder(folder)

    def _has(self, key: str, path: Path) -> bool:
        """Whether there is a value. What can be none (a pipe, a device) is moved to quarantine."""
        there = _may_be_value(path)
        if there is not None:
            return there
        if path.is_dir() and not kind_of(key):
            raise ValueError(f"{path} is the folder of other keys, so it can be no key")
        with self.locked(key):
            if _may_be_value(path) is None:  # nobody else has moved it meanwhile
                aside = self.path(quarantine_key(key, secrets.token_hex(8)))
                make_folders(aside.parent)
                path.rename(aside)
                self._sync(path.parent)
        return _may_be_value(path) is True

    def _is(self, path: Path, version: str) -> bool:
        try:
            return _version(path.stat()) == version
        except (FileNotFoundError, NotADirectoryError):
            return False

    @contextlib.contextmanager
    def _opened(self, key: str) -> Generator[int]:
        path = self.path(key)
        with disk_faults(path):
            try:
                source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError as error:
                if error.errno not in _NO_VALUE:
                    raise
                raise KeyMissing(key) from None
            try:
                if not stat.S_ISREG(os.fstat(source).st_mode):
                    raise KeyMissing(key)
                yield source
            finally:
                os.close(source)

    def _link_out(self, key: str, source: int, path: Path) -> bool:
        """Link the open file of ``key`` to ``path``; False where that cannot be done."""
        path.unlink(missing_ok=True)
        try:
            os.link(self.path(key), path)
        except FileNotFoundError:  # deleted since it was opened
            return False
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        if os.path.samestat(path.stat(), os.fstat(source)):
            return True
        path.unlink()  # replaced since it was hashed
        return False

    def _walk(self, folder: str, prefix: str) -> Iterator[str]:
        """Yield the keys below a folder in the order of their whole names."""
        place = self._root / folder
        with disk_faults(place):
            try:
                with os.scandir(place) as entries:
                    # "a-b" sorts before "a/b", but the folder "a" before "a-b": compare keys.
                    found = sorted(
                        entry.name + "/" * _is_folder(entry, folder) for entry in entries
                    )
            except (FileNotFoundError, NotADirectoryError):
                return
        for name in found:
            if not folder and name == f"{TEMPORARY}/":
                continue
            key = f"{folder}/{name}" if folder else name
            if not key.endswith("/") or len(key) > KEY_CHARACTERS_MAX:
                yield key
            elif key.startswith(prefix) or prefix.startswith(key):
                yield from self._walk(key[:-1], prefix)


def _may_be_value(path: Path) -> bool | None:
    """Whether a file is there; None for something that is no file."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISREG(found.st_mode) or (stat.S_ISLNK(found.st_mode) and path.is_file()):
        return True
    return None


def _version(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_ino:x}"


def _is_folder(entry: os.DirEntry[str], folder: str) -> bool:
    """Whether to walk into an entry: into links only at the top, where a disk may be linked in."""
    return entry.is_dir(follow_symlinks=not folder)


def _link_new(unfinished: Path, path: Path) -> bool:
    """Give a finished file its name unless the name is taken; True when this call did."""
    for _ in range(2):
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return False
        except FileNotFoundError:
            make_folders(path.parent)
        else:
            return True
    raise UserError(
        f"{path.parent}: the folder vanishes while the store writes into it",
        "let nothing else remove files there, then run again",
    )
