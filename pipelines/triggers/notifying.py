"""Notices: one JSON document for a command of the user's, for each thing that a person may want."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from components.contract.errors import UserError

_LIMIT_S = 30
_UNTOLD, _UNTOLD_BYTES, _SHOWN = "untold.log", 1 << 16, 10

Event = Literal[
    "promoted", "candidate", "held", "failed", "dead letter", "paused", "error", "overdue",
    "running long",
]  # fmt: skip
"""``candidate``: a release waits for somebody to promote it; ``held``: data waits for somebody to
confirm it; ``overdue``: nothing ran when it should have."""


@dataclass(frozen=True)
class Notice:
    """One thing that happened.

    Attributes:
        event: What.
        trigger: Name of the trigger.
        store: Address of the store.
        at: When, ISO 8601.
        why: In a sentence.
        run: The run, if it is about one.
    """

    event: Event
    trigger: str
    store: str
    at: str
    why: str
    run: str = ""


def words_of(command: str) -> tuple[str, ...]:
    """Return the words of a command.

    Raises:
        UserError: There is none, or a quote does not end.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UserError(f"--notify {command!r}: {error}", "close the quote") from None
    if not words:
        raise UserError("--notify names no command", "write it like --notify './notify.sh'")
    return words


def notify(command: tuple[str, ...], notice: Notice, folder: Path) -> str:
    """Give a notice to a command on its standard input; it has half a minute.

    Args:
        command: Its words.
        notice: What it is told.
        folder: Of this machine, where it is kept that the command was not told.

    Returns:
        What went wrong, or "": a notice that gets lost must not end what it is about.
    """
    wrong = _given(command, notice)
    if wrong:
        with contextlib.suppress(OSError):  # whoever calls says it, too
            _keep_untold(folder / _UNTOLD, f"{notice.at} {wrong}")
    return wrong


def read_untold(folder: Path) -> tuple[str, ...]:
    """Return the latest notices that could not be given on this machine, the oldest first."""
    try:
        text = (folder / _UNTOLD).read_text(errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(text.splitlines()[-_SHOWN:])


def _keep_untold(path: Path, line: str) -> None:
    if path.exists() and path.stat().st_size > _UNTOLD_BYTES:
        path.replace(path.with_suffix(".1"))
    with path.open("a", errors="replace") as kept:
        kept.write(f"{line}\n")


def _given(command: tuple[str, ...], notice: Notice) -> str:
    try:
        ended = subprocess.run(
            command, input=json.dumps(asdict(notice)).encode(), timeout=_LIMIT_S, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]} was not told of {notice.event}: {error}"
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        last = f": {said[-1]}" if said else ""
        return f"{command[0]} ended with {ended.returncode} when told of {notice.event}{last}"
    return ""
