"""The processes and ports of this machine."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Return the children of a process, theirs and so on, in no order."""
    parents = dict(_parents())
    found: list[int] = []
    todo = [pid]
    while todo:
        above = todo.pop()
        below = [child for child, parent in parents.items() if parent == above]
        found += below
        todo += below
    return found


def carrying(*texts: str) -> list[int]:
    """Return the processes that have all of the texts in their command lines, without this one."""
    found: list[int] = []
    for pid in _numbers():
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if pid != os.getpid() and all(text.encode() in words for text in texts):
                found.append(pid)
    return found


def with_home(folder: str) -> list[int]:
    """Return the processes whose ``HOME`` is a folder or below it: what servers of a test ran."""
    found: list[int] = []
    for pid in _numbers():
        with suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if any(f"{each.decode(errors='replace')}/".startswith(f"HOME={folder}/")
                   for each in variables):  # fmt: skip
                found.append(pid)
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to those that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _parents() -> Iterator[tuple[int, int]]:
    for pid in _numbers():
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            yield pid, int(stat.rpartition(")")[2].split()[1])


def _numbers() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
