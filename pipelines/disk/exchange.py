"""Exchanging a folder for another one, such that its name always leads to a whole one.

On Linux two names of one file system are exchanged in one step (``renameat2`` with
``RENAME_EXCHANGE``). Elsewhere, and on file systems that cannot do that, the old folder steps aside
first: a kill between the two renames leaves it under the spare name, from which ``restore`` brings
it back. Nothing is ever removed here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path

_EXCHANGE = 2  # RENAME_EXCHANGE of <linux/fs.h>
_AT_FDCWD = -100
_UNABLE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
"""The kernel has no such call, or the file system cannot exchange."""


def exchange(folder: Path, fresh: Path, spare: Path) -> Path | None:
    """Put ``fresh`` where ``folder`` is.

    Args:
        folder: The name; there need not be anything yet.
        fresh: A finished folder on the same file system.
        spare: A free name on it, for the old folder where two names cannot be exchanged.

    Returns:
        Where the old folder lies now; None where there was none.

    Raises:
        OSError: It cannot be done; everything is where it was.
    """
    if not os.path.lexists(folder):
        fresh.rename(folder)
        return None
    if _exchange_names(fresh, folder):
        return fresh
    folder.rename(spare)
    try:
        fresh.rename(folder)
    except BaseException:
        spare.rename(folder)
        raise
    return spare


def restore(folder: Path, spare: Path) -> None:
    """Bring back what a kill left under the spare name, if nothing took its place."""
    if os.path.lexists(spare) and not os.path.lexists(folder):
        spare.rename(folder)


def _exchange_names(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where that is not possible."""
    rename = _renameat2()
    if rename is None:
        return False
    ctypes.set_errno(0)
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(other))


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    """Return the C library's function, or None where it has none."""
    with contextlib.suppress(AttributeError, OSError):
        function = ctypes.CDLL(None, use_errno=True).renameat2
        function.argtypes = (
            ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint,
        )  # fmt: skip
        function.restype = ctypes.c_int
        return function
    return None
