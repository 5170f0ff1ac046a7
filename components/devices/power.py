"""Power: the counters of energy that a device has, read while something runs.

References:
    Linux kernel, Documentation/power/powercap/powercap.rst (zones, ``energy_uj``).
    CVE-2020-8694 (why root alone may read them).
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Protocol, Self

_POWERCAP = Path("/sys/class/powercap")
_PACKAGE = re.compile(r"intel-rapl:\d+")  # AMD's processors have that name, too


class PowerMeter(Protocol):
    """A counter of energy."""

    @property
    def scope(self) -> str:
        """What it sees: ``CPU package``, ``board``, ``whole phone``."""
        ...

    def joules(self) -> float:
        """Return the energy since some moment that stays the same; never less than before."""
        ...


@dataclass
class Powercap:
    """The packages of this machine's processors, as the kernel counts their energy.

    Attributes:
        zones: Their folders.
        scope: What is counted.
    """

    zones: tuple[Path, ...]
    scope: str = "CPU package"

    def __post_init__(self) -> None:
        """Read the counters for the first time."""
        self._last_uj = {zone: _count(zone / "energy_uj") for zone in self.zones}
        self._sum_uj = 0

    def joules(self) -> float:
        """Return the energy of all packages; their counters begin anew where they are full."""
        for zone, last_uj in self._last_uj.items():
            now_uj = _count(zone / "energy_uj")
            grown_uj = now_uj - last_uj
            if grown_uj < 0:
                grown_uj += _count(zone / "max_energy_range_uj") + 1
            self._sum_uj += grown_uj
            self._last_uj[zone] = now_uj
        return self._sum_uj / 1e6


def powercap(root: Path = _POWERCAP) -> PowerMeter | str:
    """Return the counters of this machine's processors, or why they cannot be read.

    Args:
        root: Where the kernel shows them.
    """
    zones = tuple(zone for zone in sorted(root.glob("*")) if _PACKAGE.fullmatch(zone.name))
    if not zones:
        return "not available: this machine shows no counter of energy; virtual machines have none"
    try:
        return Powercap(zones)
    except PermissionError:
        file = zones[0] / "energy_uj"
        return f"not available: root alone may read {file} (sudo chmod a+r lets others)"
    except (OSError, ValueError) as error:
        return f"not available: {zones[0]} cannot be read: {error}"


def _count(path: Path) -> int:
    return int(path.read_text())


class Recording:
    """A meter that is read again and again, as long as the recording is open.

    Args:
        meter: What is read.
        look_s: Between two readings.
    """

    def __init__(self, meter: PowerMeter, look_s: float) -> None:
        self._meter, self._look_s = meter, look_s
        self._at_s: list[float] = []
        self._joules: list[float] = []
        self._ended = Event()
        self._thread = Thread(target=self._record, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._read()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._ended.set()
        self._thread.join()
        self._read()

    def between(self, start_s: float, end_s: float) -> float:
        """Return the joules from one moment of the recording to another.

        Args:
            start_s: On the clock of ``time.monotonic``.
            end_s: Likewise.
        """
        return self._until(end_s) - self._until(start_s)

    def _until(self, moment_s: float) -> float:
        return _interpolated(self._at_s, self._joules, moment_s)

    def _record(self) -> None:
        while not self._ended.wait(self._look_s):
            self._read()

    def _read(self) -> None:
        joules = self._meter.joules()
        self._joules.append(joules)
        self._at_s.append(time.monotonic())


def _interpolated(at_s: Sequence[float], joules: Sequence[float], moment_s: float) -> float:
    """Return the energy at a moment between two readings."""
    place = min(max(bisect_right(at_s, moment_s), 1), len(at_s) - 1)
    before_s, after_s = at_s[place - 1], at_s[place]
    share = (moment_s - before_s) / (after_s - before_s)
    return joules[place - 1] + share * (joules[place] - joules[place - 1])
