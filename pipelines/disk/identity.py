"""Who a process is, and whether it still lives: what the kernel of this machine knows."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_STATE, _STARTED = 0, 19
"""Places in ``/proc/<pid>/stat`` after the name of the program, which may hold anything."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, told from every other one on any machine at any time.

    Attributes:
        host: Name of its machine, for people.
        kernel: Which boot of which machine, and which namespace its number counts in; empty where
            the kernel does not say.
        pid: Its number.
        started: When it began, in clock ticks since that boot; -1 where the kernel does not say.
    """

    host: str
    kernel: str
    pid: int
    started: int


def this_process() -> ProcessIdentity:
    """Return the identity of the process that calls."""
    pid = os.getpid()
    found = _stat(pid)
    return ProcessIdentity(
        socket.gethostname(), _kernel(), pid, int(found[_STARTED]) if found else -1
    )


def has_ended(process: ProcessIdentity) -> bool:
    """Whether a process has certainly ended; False also where that cannot be known from here.

    Nothing but a process of this very boot, in this process's own namespace, can be judged.
    """
    if not process.kernel or process.kernel != _kernel() or process.pid <= 0:
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        pass
    found = _stat(process.pid)
    if found is None or process.started < 0:
        return False
    return found[_STATE] in "ZX" or int(found[_STARTED]) != process.started


def lives_here(process: ProcessIdentity) -> bool:
    """Whether a process certainly lives: one of this machine's, which can be asked for."""
    return bool(process.kernel) and process.kernel == _kernel() and not has_ended(process)


def is_stopped(pid: int) -> bool:
    """Whether the process of this number is stopped, by SIGSTOP or a debugger."""
    found = _stat(pid)
    return found is not None and found[_STATE] in "Tt"


def _kernel() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{boot} {namespace}"


def _stat(pid: int) -> list[str] | None:
    """Return what the kernel says of a process, from its state on; None where it says nothing."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    found = line.rpartition(")")[2].split()
    return found if len(found) > _STARTED else None
