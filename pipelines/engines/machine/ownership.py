"""Who owns what a container reads and writes, where the engine runs as root and steps do not.

What a container wrote is not to be trusted: a link in it leads wherever the container wanted. No
link is followed here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from pipelines.disk.folders import walk


def give(folder: Path, user: int) -> None:
    """Let the container's user write into the step's folder.

    Args:
        folder: The engine alone has written into it so far.
        user: The container's user.
    """
    (folder / "tmp").mkdir()
    if os.getuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, user, user, follow_symlinks=False)


def make_readable(paths: Iterable[Path]) -> None:
    """Let everybody read what the engine staged, however strict the umask it did so under.

    Args:
        paths: Files, and folders with all that is in them; links lead to the user's data and are
            left alone.
    """
    if os.getuid() != 0:
        return
    for root in paths:
        for visit in walk(root):
            if not visit.again:
                _let_read(visit.name, visit.folder)


def take_back(folder: Path) -> None:
    """Make what a container wrote this user's own: readable, removable, without special bits.

    Args:
        folder: No container writes into it any more.
    """
    for visit in walk(folder):
        if not visit.again:
            _own(visit.name, visit.folder)


def _let_read(name: str, folder: int) -> None:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return
    wanted = 0o555 if stat.S_ISDIR(mode) else 0o444
    if mode & wanted != wanted:
        os.chmod(name, stat.S_IMODE(mode) | wanted, dir_fd=folder)


def _own(name: str, folder: int) -> None:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if os.getuid() == 0:
        os.chown(name, 0, 0, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(mode):
        os.chmod(name, 0o755 if stat.S_ISDIR(mode) else 0o644, dir_fd=folder)
