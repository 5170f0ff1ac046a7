"""Counters of this machine around what a browser measures: the page itself sees none of them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_PRESSURE = Path("/proc/pressure/cpu")


def counters() -> dict[str, float]:
    """Return what the processors did so far, as ``probe.py`` counts it.

    Returns:
        ``wall_ms``; ``busy_ms`` of all processors; ``stolen_ms`` by other guests of a host; and
        ``waited_us``, for how long anything waited for a processor, where the kernel says it.
    """
    ticks = [int(each) for each in _STAT.read_text().splitlines()[0].split()[1:9]]
    tick_ms = 1e3 / os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, interrupts, soft, stolen = ticks
    found = {
        "wall_ms": time.monotonic() * 1e3,
        "busy_ms": (user + nice + system + interrupts + soft) * tick_ms,
        "stolen_ms": stolen * tick_ms,
    }
    with contextlib.suppress(OSError):
        found["waited_us"] = float(_PRESSURE.read_text().splitlines()[0].rpartition("total=")[2])
    return found
