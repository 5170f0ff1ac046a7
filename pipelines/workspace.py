"""The scratch folder of a run on this machine, swept when its owner is dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Generator
from pathlib import Path

from pipelines.stores import CACHE, TEMPORARY, Store
from pipelines.stores.directory import DirectoryStore


def workspace_root(store: Store) -> Path:
    """Return where runs on this store keep what is unfinished.

    A directory store's own file system, so that blobs can be linked instead of copied.
    """
    if isinstance(store, DirectoryStore):
        return Path(store.uri) / TEMPORARY / "work"
    return CACHE.expanduser() / "work"


@contextlib.contextmanager
def workspace(root: Path, run: str) -> Generator[Path]:
    """Give a run its folder; it is gone afterwards, also after a kill: the next run sweeps it.

    Args:
        root: See ``workspace_root``.
        run: Identifier of the run.
    """
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    lock, unlocked = root / f"{run}.lock", root / f"{run}.new"
    handle = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    folder = root / run
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        unlocked.rename(lock)  # locked before a sweep can see it
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(handle)


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
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
        finally:
            os.close(handle)
