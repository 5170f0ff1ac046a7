"""Who holds the lock of this machine, by name: a lock itself only says that it is taken."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import psutil

_BYTES_MAX = 1 << 16
_CHARACTERS_MAX = 300


class Holders:
    """Names beside a lock, for those who wait. Nothing but what people are told hangs on them.

    Args:
        path: A file for the names.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def said(self) -> str:
        """Return one sentence on who holds the lock."""
        names = [name for name, _, _ in self._read().values()]
        if not names:
            return "another slimline holds it"
        more = f" and {len(names) - 1} more hold it" if len(names) > 1 else " holds it"
        return f"{min(names)}{more}"[:_CHARACTERS_MAX]

    @contextlib.contextmanager
    def entered(self, name: str) -> Generator[None]:
        """Be among the names for a while."""
        token = secrets.token_hex(8)
        process = psutil.Process()
        mine = (name, process.pid, process.create_time())
        self._change(lambda names: names.update({token: mine}))
        try:
            yield
        finally:
            self._change(lambda names: names.pop(token, None))

    def _change(self, change: Callable[[dict[str, tuple[str, int, float]]], object]) -> None:
        # Without names who waits is told less; what holds the lock goes on all the same.
        with contextlib.suppress(OSError):
            handle = self._open(os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                names = _living(os.pread(handle, _BYTES_MAX, 0))
                change(names)
                data = json.dumps(names).encode()
                os.pwrite(handle, data, 0)
                os.ftruncate(handle, len(data))
            finally:
                os.close(handle)

    def _read(self) -> dict[str, tuple[str, int, float]]:
        try:
            handle = self._open(os.O_RDONLY)
        except OSError:
            return {}
        try:
            return _living(os.pread(handle, _BYTES_MAX, 0))
        finally:
            os.close(handle)

    def _open(self, how: int) -> int:
        return os.open(self._path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def _living(data: bytes) -> dict[str, tuple[str, int, float]]:
    """Return the names whose process lives: a killed one could not take its own away."""
    try:
        found = cast("dict[str, Any]", json.loads(data or b"{}"))
        items = {
            token: (str(name), int(pid), float(at)) for token, (name, pid, at) in found.items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}
    return {token: item for token, item in items.items() if _lives(item[1], item[2])}


def _lives(pid: int, created: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - created) < 1.0
    except (psutil.Error, ValueError, OverflowError):
        return False
