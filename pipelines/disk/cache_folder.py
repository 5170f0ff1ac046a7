"""Where this machine keeps what it has downloaded or hashed before.

``$XDG_CACHE_HOME/slimline``, or ``~/.cache/slimline``. Where that cannot be made or written (no
home, a read-only one), ``slimline-cache-<uid>`` in the folder for temporary files takes its place:
what is not found again there costs time and nothing else, so no command fails for it.
"""

from __future__ import annotations

import errno
import os
import tempfile
import warnings
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.names import absolute
from pipelines.disk.own_folder import open_own

_UNUSABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST,
    errno.ELOOP, errno.ENAMETOOLONG,
)  # fmt: skip
"""Nothing can be kept there, now or later; a disk that is full can be told so and be cleared."""


class CacheWarning(UserWarning):
    """What this machine keeps cannot be used as it should, which costs time and nothing else."""


def cache_places() -> tuple[Path, ...]:
    """Return where the folder may lie, the best place first, without a look at the disk.

    Raises:
        UserError: The home folder has a name that no engine could carry.
    """
    temporary = Path(tempfile.gettempdir()) / f"slimline-cache-{os.geteuid()}"
    home = _home_cache()
    return (home / "slimline", temporary) if home else (temporary,)


def cache_folder() -> Path:
    """Return the folder, which can be written.

    Raises:
        UserError: There is no such place, not even a temporary one.
    """
    *homes, temporary = cache_places()
    why = "the home folder of this user is not known"
    for home in homes:
        fault = _fault(home)
        if not fault:
            return home
        why = f"{home}: {fault}"
    try:
        os.close(open_own(temporary))
    except OSError as error:
        raise UserError(
            f"nothing can be kept on this machine: {why}; {temporary}: {error.strerror}",
            "export XDG_CACHE_HOME=FOLDER with a folder that this user can write",
        ) from None
    warnings.warn(
        f"{why}; what is kept on this machine goes to {temporary}, and may have to be downloaded "
        "and hashed again (export XDG_CACHE_HOME=FOLDER names another place)",
        CacheWarning,
        stacklevel=2,
    )
    return temporary


def _home_cache() -> Path | None:
    """Return the user's folder for what programs keep, or None if nobody knows a home."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():
        return absolute(given)
    if os.environ.get("HOME") == "":  # what stands there would lead to the root
        return None
    try:
        return absolute(Path("~").expanduser()) / ".cache"
    except RuntimeError:  # a user without an entry and without HOME
        return None


def _fault(folder: Path) -> str:
    """Return why nothing can be written there; empty where it can, or where that may pass."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # By writing: a root user is told that everything is allowed, also where nothing is.
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return os.strerror(error.errno) if error.errno in _UNUSABLE else ""
