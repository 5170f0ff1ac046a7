"""The folder of this user on this machine for what lives only while processes do.

The first of these that can be used: ``$XDG_RUNTIME_DIR/slimline``, ``/run/user/<uid>/slimline``,
``/tmp/slimline-<uid>``, ``~/.cache/slimline/runtime``. Each is made with mode 0700, opened without
following a link, and used only if it is a folder of this user's own: what another user puts in its
place is passed over, and so blocks nobody.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.scratch import cache_folder

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def runtime_folders() -> tuple[Path, ...]:
    """Return where the folder may lie, the best place first."""
    user = os.geteuid()
    given = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return (
        *((given / "slimline",) if given.is_absolute() else ()),
        Path(f"/run/user/{user}/slimline"),
        Path(f"/tmp/slimline-{user}"),  # noqa: S108 made so that nobody else's is taken
        cache_folder() / "runtime",
    )


@contextlib.contextmanager
def opened_runtime_folder() -> Generator[int]:
    """Give an open descriptor of the folder, to be used with ``dir_fd``.

    Raises:
        UserError: None of the places can be used.
    """
    faults: list[str] = []
    for path in runtime_folders():
        handle = _opened(path, faults)
        if handle is None:
            continue
        try:
            yield handle
        finally:
            os.close(handle)
        return
    raise UserError(
        "no folder can be made for the locks of this user: " + "; ".join(faults),
        f"set XDG_RUNTIME_DIR to a folder that user {os.geteuid()} alone can use",
    )


def _opened(path: Path, faults: list[str]) -> int | None:
    """Open one place, or say why not."""
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        handle = os.open(path, _OPEN)
    except OSError as error:
        faults.append(f"{path}: {error.strerror}")
        return None
    found = os.fstat(handle)
    if found.st_uid != os.geteuid():
        faults.append(f"{path}: it is user {found.st_uid}'s")
        os.close(handle)
        return None
    if found.st_mode & 0o077:
        os.fchmod(handle, 0o700)
    return handle
