"""Folders that a step wrote, walked and removed whatever it put there.

A step may nest folders thousands deep and give them names that together are longer than any path
may be. What the standard library offers calls itself once a level, or puts whole paths together,
and fails there. Here one open folder goes down by name and up by ``..``.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NOT_ENTERED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES)
"""It is gone, is no folder, is a link, or is closed to this user."""


@dataclass(frozen=True)
class Visit:
    """One entry of a tree, met before what is in it; a folder is met once more after that.

    Attributes:
        name: What it is called in its folder.
        folder: Open descriptor of its folder, until the next visit.
        again: Whether all that is in it has been met.
    """

    name: str
    folder: int
    again: bool


@dataclass(frozen=True)
class _Level:
    name: str
    identity: tuple[int, int]
    left: list[str]


def walk(root: Path) -> Generator[Visit]:
    """Meet ``root`` and all that is in it, at any depth, with two descriptors; follow no link.

    What is removed meanwhile is passed over, and so are folders that this user may not open.

    Args:
        root: A folder, or anything else, which is met alone.

    Raises:
        OSError: A folder was moved meanwhile, or the disk fails.
    """
    handle = os.open(root.parent, _OPEN)
    try:
        levels = [_Level("", _identity(handle), [root.name])]
        while True:
            level = levels[-1]
            if level.left:
                name = level.left.pop()
                yield Visit(name, handle, again=False)
                inner = _enter(name, handle)
                if inner is not None:
                    os.close(handle)
                    handle = inner
                    levels.append(_Level(name, _identity(handle), _names(handle)))
                continue
            levels.pop()
            if not levels:
                return
            outer = os.open("..", _OPEN, dir_fd=handle)
            os.close(handle)
            handle = outer
            if _identity(handle) != levels[-1].identity:  # what lies here is none of ours
                raise OSError(errno.ESTALE, "was moved while it was read", level.name)
            yield Visit(level.name, handle, again=True)
    finally:
        os.close(handle)


def remove_tree(root: Path) -> None:
    """Remove all of ``root`` that this user can remove; links in it lead nowhere.

    Other processes may remove it at the same time. What cannot be removed stays, and nothing is
    raised: whoever gives up a folder has nothing else to do about it.
    """
    with contextlib.suppress(OSError):
        for visit in walk(root):
            with contextlib.suppress(OSError):
                if visit.again:
                    os.rmdir(visit.name, dir_fd=visit.folder)
                else:
                    _unlink(visit.name, visit.folder)


def _unlink(name: str, folder: int) -> None:
    """Remove what is no folder; let this user into a folder of its own that is closed to it."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        # By descriptor: a name could lead elsewhere by the time its mode is changed.
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW | _OPEN, dir_fd=folder)
        try:
            if os.fstat(place).st_mode & 0o700 != 0o700:
                Path(f"/proc/self/fd/{place}").chmod(0o700)
        finally:
            os.close(place)


def _enter(name: str, folder: int) -> int | None:
    try:
        return os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_ENTERED:
            return None
        raise


def _names(folder: int) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:  # it is open, and yet gone
        return []


def _identity(folder: int) -> tuple[int, int]:
    found = os.fstat(folder)
    return found.st_dev, found.st_ino
