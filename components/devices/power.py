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
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Protocol, Self

_POWERCAP = Path("/sys/class/powercap")
_PACKAGE = re.compile(r"intel-rapl:\d+")  # AMD's processors have that name, too


@dataclass(frozen=True)
class EnergyReading:
    """What a counter says at a moment.

    Attributes:
        at_s: When, on the clock by which processes there tell when they run (``time.monotonic``).
        joules: Since some moment that stays the same; never less than before.
    """

    at_s: float
    joules: float


class MeterError(Exception):
    """A counter no longer tells what it is asked; the text says why."""


class PowerMeter(Protocol):
    """A counter of energy."""

    @property
    def scope(self) -> str:
        """What it sees: ``CPU package``, ``board``, ``whole phone``."""
        ...

    @property
    def look_s(self) -> float:
        """Seconds between two readings that it bears without much load of its own."""
        ...

    def reading(self) -> EnergyReading:
        """Return what it says now.

        Raises:
            MeterError: It cannot be read any more.
            LostError: The device went away.
        """
        ...


@dataclass
class Powercap:
    """The packages of this machine's processors, as the kernel counts their energy.

    Attributes:
        zones: Their folders.
        scope: What is counted.
        look_s: Between two readings.
    """

    zones: tuple[Path, ...]
    scope: str = "CPU package"
    look_s: float = 0.1

    def __post_init__(self) -> None:
        """Read the counters for the first time."""
        self._last_uj = {zone: _count(zone / "energy_uj") for zone in self.zones}
        self._sum_uj = 0

    def reading(self) -> EnergyReading:
        """Return the energy of all packages; their counters begin anew where they are full."""
        for zone, last_uj in self._last_uj.items():
            now_uj = _count(zone / "energy_uj")
            grown_uj = now_uj - last_uj
            if grown_uj < 0:
                grown_uj += _count(zone / "max_energy_range_uj") + 1
            self._sum_uj += grown_uj
            self._last_uj[zone] = now_uj
        return EnergyReading(time.monotonic(), self._sum_uj / 1e6)


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
        look_s: Between two readings; more where the meter asks for more.
    """

    def __init__(self, meter: PowerMeter, look_s: float) -> None:
        self._meter, self._look_s = meter, max(look_s, meter.look_s)
        self._at_s: list[float] = []
        self._joules: list[float] = []
        self._reading, self._ended = Lock(), Event()
        self._fault: Exception | None = None
        self._thread = Thread(target=self._record, daemon=True)

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            MeterError: The meter cannot be read.
            LostError: The device went away.
        """
        self.mark()
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

    def mark(self) -> float:
        """Read the meter now, and return this moment on its clock, in seconds.

        Raises:
            MeterError: The meter cannot be read, or could not be since the last time.
            LostError: The device went away.
        """
        with self._reading:
            if self._fault is not None:
                raise self._fault
            found = self._meter.reading()
            if not self._at_s or found.at_s > self._at_s[-1]:
                self._at_s.append(found.at_s)
                self._joules.append(found.joules)
            return found.at_s

    def between(self, start_s: float, end_s: float) -> float:
        """Return the joules from one moment of the recording to another.

        Args:
            start_s: On the clock of the meter.
            end_s: Likewise; a reading has come since.
        """
        return self._until(end_s) - self._until(start_s)

    def _until(self, moment_s: float) -> float:
        return _interpolated(self._at_s, self._joules, moment_s)

    def _record(self) -> None:
        while not self._ended.wait(self._look_s):
            try:
                self.mark()
            except Exception as error:  # noqa: BLE001 raised again by the thread that asks
                self._fault = error
                return


def _interpolated(at_s: Sequence[float], joules: Sequence[float], moment_s: float) -> float:
    """Return the energy at a moment between two readings."""
    place = min(max(bisect_right(at_s, moment_s), 1), len(at_s) - 1)
    before_s, after_s = at_s[place - 1], at_s[place]
    share = (moment_s - before_s) / (after_s - before_s)
    return joules[place - 1] + share * (joules[place] - joules[place - 1])
