"""The scratch folder of a run on this machine, swept when its owner is dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Generator
from pathlib import Path

from pipelines.disk.files import disk_faults
from pipelines.disk.folders import remove_tree
from pipelines.disk.names import absolute
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import CACHE, TEMPORARY, Store


def workspace_root(store: Store) -> Path:
    """Return where runs on this store keep what is unfinished.

    A directory store's own file system, so that blobs can be linked instead of copied.
    """
    if isinstance(store, DirectoryStore):
        return Path(store.uri) / TEMPORARY / "work"
    return absolute(CACHE) / "work"


@contextlib.contextmanager
def workspace(root: Path, run: str) -> Generator[Path]:
    """Give a run its folder; it is gone afterwards, also after a kill: the next run sweeps it.

    Args:
        root: See ``workspace_root``.
        run: Identifier of the run.

    Raises:
        UserError: The disk there is full or must not be written.
    """
    lock, unlocked = root / f"{run}.lock", root / f"{run}.new"
    folder = root / run
    with disk_faults(root):
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        handle = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with disk_faults(root):
            fcntl.flock(handle, fcntl.LOCK_EX)
            unlocked.rename(lock)  # locked before a sweep can see it
            folder.mkdir()
        yield folder
    finally:
        remove_tree(folder)
        unlocked.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
        os.close(handle)


def machine_name() -> str:
    """Return what tells this machine from others that may use the same store."""
    identity = Path("/etc/machine-id")
    number = identity.read_text().strip() if identity.exists() else ""
    return f"{socket.gethostname()} {number[:12]}".strip()


def is_held(folder: Path) -> bool:
    """Whether the process that got this folder from ``workspace`` still lives.

    Args:
        folder: The run's, on this machine.

    Raises:
        OSError: Its lock cannot be opened: it is another user's, for example.
    """
    try:
        handle = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _sweep(root: Path) -> None:
    """Remove the folders of runs whose process holds its lock no more."""
    for lock in root.glob("*.lock"):
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            remove_tree(lock.with_suffix(""))
            lock.unlink(missing_ok=True)
        finally:
            os.close(handle)
