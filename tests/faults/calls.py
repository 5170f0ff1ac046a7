"""Calls of the operating system that fail once, at a chosen place in the source of slimline.

A place is the nearest line of ``pipelines/`` or ``components/`` on the stack, and the call. One run
notes all places that it passes; then each of them can be made to fail, in a run of its own, the
first time it is passed.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_OURS = (f"{ROOT}/pipelines/", f"{ROOT}/components/")
_ANY = (errno.EIO,)
_NAMED = (errno.EIO, errno.EACCES)
_OPENING = (errno.EIO, errno.EACCES, errno.EMFILE)

ERRNOS = {
    "open": _OPENING, "scandir": _OPENING, "listdir": _OPENING,
    "mkdir": _NAMED, "link": _NAMED, "rename": _NAMED, "replace": _NAMED, "unlink": _NAMED,
    "read": _ANY, "pread": _ANY, "write": _ANY, "fsync": _ANY, "copy_file_range": _ANY,
}  # fmt: skip
"""What each call can fail with."""


class Places:
    """The calls of a process while they are watched.

    Args:
        fail_at: The place whose first passing fails, such as ``pipelines/a.py:12 open``; None
            only notes.
        number: The error that it fails with.
    """

    def __init__(self, fail_at: str | None = None, number: int = 0) -> None:
        self.passed: dict[str, None] = {}
        self.failed = False
        self._fail_at, self._number = fail_at, number
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Put itself in the way of the calls, for the rest of the process."""
        for name in ERRNOS:
            if name == "open":
                builtins.open = io.open = self._watched(io.open, name)
            setattr(os, name, self._watched(getattr(os, name), name))

    def _watched(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            place = _place(name)
            if place:
                self._pass(place, arguments)
            return call(*arguments, **options)

        return watched

    def _pass(self, place: str, arguments: tuple[Any, ...]) -> None:
        with self._lock:
            self.passed.setdefault(place)
            if place != self._fail_at or self.failed:
                return
            self.failed = True
        named = [item for item in arguments[:1] if isinstance(item, str | os.PathLike)]
        raise OSError(self._number, os.strerror(self._number), *map(os.fspath, named))


def _place(name: str) -> str | None:
    frame = sys._getframe(2)
    while frame:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return None
        if file.startswith(_OURS):
            return f"{file.removeprefix(f'{ROOT}/')}:{frame.f_lineno} {name}"
        frame = frame.f_back
    return None
