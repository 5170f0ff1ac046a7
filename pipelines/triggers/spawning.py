"""Ticks of one trigger in processes of their own, which go on when whoever began them ends."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.cache_folder import cache_folder
from pipelines.stores.store import Store

_LOG_BYTES = 1 << 20
"""A log that is longer begins anew; one older one is kept beside it."""


def ticks_folder(store: Store) -> Path:
    """Return where this machine keeps what its ticks of a store say and could not tell anybody.

    Raises:
        UserError: It cannot be made.
    """
    folder = cache_folder() / "ticks" / hashlib.sha256(store.uri.encode()).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made: {error.strerror}",
            "export XDG_CACHE_HOME=FOLDER with a folder that this user can write",
        ) from None
    return folder


def log_path(store: Store, name: str) -> Path:
    """Return the file that ticks of a trigger write to when they have no terminal.

    Args:
        store: Where the trigger is.
        name: Of the trigger.
    """
    return ticks_folder(store) / f"{name}.log"


def begin_tick(
    store: Store, name: str, *, at_once: int, notify: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Begin ``slimline tick NAME`` in a session of its own; its output goes to ``log_path``.

    Args:
        store: Where the trigger is.
        name: Of the trigger.
        at_once: So many launches of all triggers may go on at a time.
        notify: The words of the command that gets notices.

    Raises:
        UserError: The process cannot be begun, or its log not be written.
    """
    words = [
        sys.executable, "-m", "pipelines.cli", "tick", name,
        "--store", store.uri, "--at-once", str(at_once),
    ]  # fmt: skip
    if notify:
        words += ["--notify", shlex.join(notify)]
    log = log_path(store, name)
    try:
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise UserError(
            f"no process could be begun for the trigger {name}: {error.strerror}",
            "look at the memory, the processes and the disk of this machine",
        ) from None
