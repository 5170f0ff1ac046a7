"""What takes long to make is made by the first process of the tests that needs it, for all of them."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of this process with a copy of what ``make`` writes into the one it is given.

    Args:
        folders: Of this process; those of all others lie beside them.
        name: What is made.
        make: Writes it. A process that asks meanwhile waits.
    """
    root = folders.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    made, done = root / f"once-{name}", root / f"once-{name}.done"
    with (root / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            make(made)
            done.touch()
    return Path(shutil.copytree(made, folders.mktemp(name), symlinks=True, dirs_exist_ok=True))
