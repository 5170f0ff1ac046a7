"""A folder of this user's own at a place where others may write too, such as ``/tmp``."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_own(path: Path) -> int:
    """Make a folder with mode 0700 unless it is there, and open it without following a link.

    Returns:
        Its descriptor, which the caller closes.

    Raises:
        OSError: It cannot be made or opened, or is another user's.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    handle = os.open(path, _OPEN)
    try:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid():
            raise PermissionError(1, f"it is user {found.st_uid}'s", str(path))
        if found.st_mode & 0o077:
            os.fchmod(handle, 0o700)
    except OSError:
        os.close(handle)
        raise
    return handle
