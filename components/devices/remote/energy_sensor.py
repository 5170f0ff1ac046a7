"""Sensor: one counter of energy, or of power, that a device shows, and how it is understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from components.devices.power import MeterError
from components.devices.remote.raw_files import RawFiles


@dataclass(frozen=True)
class EnergySensor:
    """What is read of a device, and how it is understood.

    Attributes:
        scope: What it sees.
        files: Paths that are read each time, and
        commands: what is asked besides.
        look_s: Between two readings.
        joules: Returns a counter's energy; None where the sensor tells power.
        watts: Returns the power at the moment; None where it is a counter.
    """

    scope: str
    files: tuple[str, ...]
    commands: tuple[str, ...] = ()
    look_s: float = 0.25
    joules: Callable[[RawFiles], float] | None = None
    watts: Callable[[RawFiles], float] | None = None


def number_in(raw: RawFiles, place: str) -> float:
    """Return the number in a file.

    Raises:
        MeterError: There is none.
    """
    try:
        return float(raw.text(place))
    except ValueError:
        raise MeterError(f"not available: {place} could not be read any more") from None
