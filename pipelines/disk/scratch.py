"""Scratch folders of processes, which are gone afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.files import disk_faults
from pipelines.disk.folders import remove_tree


def scratch_root() -> Path:
    """Return where scratch folders lie that need not be beside a store."""
    return cache_folder() / "work"


@contextlib.contextmanager
def scratch_folder(root: Path, name: str) -> Generator[Path]:
    """Give a folder that is gone afterwards, also after a kill: the next one to ask sweeps it.

    Args:
        root: Where it lies beside others, on a disk that has locks.
        name: What it is called; no other has this name.

    Raises:
        UserError: The disk there is full or must not be written.
    """
    lock, unlocked = root / f"{name}.lock", root / f"{name}.new"
    folder = root / name
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


def is_held(folder: Path) -> bool:
    """Whether the process that got this folder from ``scratch_folder`` still lives.

    Args:
        folder: On this machine.

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
    """Remove the folders whose process holds its lock no more."""
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
