"""This machine's lock: shared by the steps of all engines, exclusive to measure time; in order.

Who wants it draws a ticket: a file in the user's runtime folder that its process keeps locked
(``flock``) as long as the ticket counts, so that a kill takes it back. The order of the names is
the order of the turns:

    drawn, no later ticket is there --> waiting --> its turn: running --> gone
    drawn, a later one is there, which may run already --> gone, and another is drawn

It is the turn of an exclusive ticket when no earlier one is left, and of a shared one when no
earlier exclusive one is left. So a benchmark waits for what ran before it, and whatever comes later
waits for the benchmark; no number of later arrivals keeps it from its turn. There is no lock around
any of this that a stopped process could keep: a ticket is locked before it has its name, names are
never used twice, and whoever finds one without a lock removes it.

*Other users.* Tickets lie where no other user can touch them, so nobody else can keep this user's
steps from running. Measurements of several users still keep out of each other's way: an exclusive
ticket also locks a file that all users share. As whoever can lock it could keep it for ever, it is
waited for a minute at most; then the measurement goes on, and is judged by its own signs of
disturbance, as it is beside any other load. Whatever keeps the file from being used is said.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from pipelines.disk.files import disk_faults, write_all
from pipelines.disk.identity import is_stopped
from pipelines.disk.runtime_folder import opened_runtime_folder

_POLL_S = 0.05
_OTHERS_S = 60.0
_ALL_USERS = Path("/tmp/slimline-machine.lock")  # noqa: S108 no user's own, and never trusted
_EXCLUSIVE, _SHARED = "x", "s"
_UNNAMED = "drawing-"
_STALE_S = 60.0
"""A file is locked within microseconds of its creation; unlocked this long after, its process is
dead."""

_DRAWN = re.compile(r"ticket-(\d{16})-[0-9a-f]{16}-[xs]")


@dataclass(frozen=True)
class Ticket:
    """Who wants the machine.

    Attributes:
        run: Identifier of the run.
        step: Which of its steps.
        pid: Process of the engine.
        since: When it drew the ticket, UTC, for people.
    """

    run: str
    step: str
    pid: int
    since: str


@contextlib.contextmanager
def machine_lock(
    *,
    alone: bool,
    run: str,
    step: str,
    cancelled: Event,
    waits_for: Callable[[str], None],
    all_users: Path = _ALL_USERS,
    others_s: float = _OTHERS_S,
) -> Generator[None]:
    """Hold this machine's lock: shared by the steps of all engines, exclusive to measure time.

    Args:
        alone: Wait until no other step of this user runs, and keep later ones from starting.
        run: Told to those who wait for this one.
        step: Likewise.
        cancelled: Gives up waiting; the caller finds out by asking it.
        waits_for: Told what is waited for, whenever that changes.
        all_users: The file that measurements of all users lock.
        others_s: How long those of other users are waited for.

    Raises:
        UserError: There is no place for the lock.
    """
    ticket = Ticket(run, step, os.getpid(), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(opened_runtime_folder())
        with disk_faults(Path(f"/proc/self/fd/{folder}").readlink()):
            name = stack.enter_context(_drawn(folder, ticket, alone=alone))
        told = ""
        while not cancelled.is_set():
            before = _before(folder, name, alone=alone)
            if before is None:
                break
            if (text := _named(folder, before)) != told:
                waits_for(text)
                told = text
            cancelled.wait(_POLL_S)
        if alone and not cancelled.is_set():
            stack.enter_context(_among_users(all_users, others_s, cancelled, waits_for))
        yield


@contextlib.contextmanager
def _drawn(folder: int, ticket: Ticket, *, alone: bool) -> Generator[str]:
    """Draw a ticket; give its name."""
    unique = f"{os.getpid()}-{secrets.token_hex(8)}"
    unnamed = f"{_UNNAMED}{unique}"
    _sweep(folder)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(unnamed, flags, 0o600, dir_fd=folder)
    name = ""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(handle, json.dumps(asdict(ticket)).encode())
        while True:
            number = 1 + max((_number(other) for other in _tickets(folder)), default=0)
            kind = _EXCLUSIVE if alone else _SHARED
            name = f"ticket-{number:016d}-{secrets.token_hex(8)}-{kind}"
            os.link(unnamed, name, src_dir_fd=folder, dst_dir_fd=folder)
            # A later one that is there already may run: it saw none before it.
            if not any(other > name and _is_live(folder, other) for other in _tickets(folder)):
                break
            os.unlink(name, dir_fd=folder)
        os.unlink(unnamed, dir_fd=folder)
        yield name
    finally:
        for left in (unnamed, name):
            if left:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(left, dir_fd=folder)
        os.close(handle)


def _before(folder: int, name: str, *, alone: bool) -> str | None:
    """Return the first earlier ticket that this one waits for."""
    return next(
        (
            other
            for other in _tickets(folder)
            if other < name and (alone or other.endswith(_EXCLUSIVE)) and _is_live(folder, other)
        ),
        None,
    )


def _tickets(folder: int) -> list[str]:
    return sorted(name for name in os.listdir(folder) if _DRAWN.fullmatch(name))


def _sweep(folder: int) -> None:
    """Remove what processes left that were killed while they drew a ticket."""
    for name in os.listdir(folder):
        if name.startswith(_UNNAMED):
            with contextlib.suppress(FileNotFoundError):
                age_s = time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
                if age_s > _STALE_S:
                    _is_live(folder, name)


def _number(name: str) -> int:
    return int(name.split("-")[1])


def _is_live(folder: int, name: str) -> bool:
    """Whether the process that drew a ticket lives; a dead one's is removed."""
    try:
        handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        return False
    finally:
        os.close(handle)


def _named(folder: int, name: str) -> str:
    """Say whose turn it is, and what to do if it never ends."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return "the machine"
    with os.fdopen(handle) as file:
        found = json.load(file)
    ticket = Ticket(**{field.name: found.get(field.name, 0) for field in fields(Ticket)})
    text = f"the machine: {ticket.step} of run {ticket.run} comes first (process {ticket.pid}, "
    text += f"since {ticket.since})"
    if is_stopped(ticket.pid):
        text += f". That process is stopped: kill -CONT {ticket.pid} lets it go on"
    return text


@contextlib.contextmanager
def _among_users(
    path: Path, at_most_s: float, cancelled: Event, waits_for: Callable[[str], None]
) -> Generator[None]:
    """Hold the lock of all users' measurements, or go on without it and say so."""
    handle = -1
    try:
        handle = _opened_for_all(path)
        deadline = time.monotonic() + at_most_s
        told = False
        while not cancelled.is_set():
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    waits_for(f"no other user's measurement any more: {path} was locked too long")
                    break
                if not told:
                    waits_for(f"the machine: a measurement of another user locks {path}")
                    told = True
                cancelled.wait(_POLL_S)
    except OSError as error:
        waits_for(f"no other user's measurement: {path}: {error.strerror}")
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _opened_for_all(path: Path) -> int:
    """Open the file of all users, which may be anyone's and anything.

    Raises:
        OSError: It is not to be opened, or no file.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
            os.fchmod(made, 0o644)  # whatever the mask says: others have to read it
            return made
        handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "it is no file")
    return handle
