"""Somebody else who ends processes of this machine, by their number and with signal 9."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def killed(argument: str, *, times: int, end: str = "") -> Iterator[list[int]]:
    """Kill the first processes that have an argument which begins and ends so.

    Args:
        argument: What it begins with, and tells them from all others: a path of this test alone.
        times: How many are killed; those that come later live.
        end: What it ends with.

    Yields:
        Their numbers, as they are killed.
    """
    pids: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set() and len(pids) < times:
            for pid in _processes(argument, end):
                if pid not in pids and len(pids) < times:
                    os.kill(pid, signal.SIGKILL)
                    pids.append(pid)
            over.wait(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield pids
    finally:
        over.set()
        thread.join()


def _processes(argument: str, end: str) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has ended meanwhile
            continue
        named = any(word.startswith(argument) and word.endswith(end) for word in words)
        if state != "Z" and named:
            yield int(folder.name)
