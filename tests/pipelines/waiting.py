"""Waiting for what threads and processes do: as long as a busy machine takes, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def finished_within(limit_s: float, done: Callable[[], Found]) -> Found:
    """Wait until something is so, and return it."""
    until = time.monotonic() + limit_s
    while not (found := done()):
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)
    return found
