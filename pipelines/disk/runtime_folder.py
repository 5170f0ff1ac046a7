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
from pipelines.disk.cache_folder import cache_places
from pipelines.disk.own_folder import open_own


def runtime_folders() -> tuple[Path, ...]:
    """Return where the folder may lie, the best place first."""
    user = os.geteuid()
    given = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return (
        *((given / "slimline",) if given.is_absolute() else ()),
        Path(f"/run/user/{user}/slimline"),
        Path(f"/tmp/slimline-{user}"),  # noqa: S108 made so that nobody else's is taken
        *(place / "runtime" for place in cache_places()),
    )


@contextlib.contextmanager
def opened_runtime_folder() -> Generator[int]:
    """Give an open descriptor of the folder, to be used with ``dir_fd``.

    Raises:
        UserError: None of the places can be used.
    """
    faults: list[str] = []
    for path in runtime_folders():
        try:
            handle = open_own(path)
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
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
