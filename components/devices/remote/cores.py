"""Cores of a device: which are fast, and which a model is to run on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.contract.errors import UserError
from components.devices.remote.raw_files import RawFiles

CLOCK_FILES = "/sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_max_freq"
CAPACITY_FILES = "/sys/devices/system/cpu/cpu*/cpu_capacity"
_CLOCK = r"/sys/devices/system/cpu/cpu(\d+)/cpufreq/cpuinfo_max_freq"
_CAPACITY = r"/sys/devices/system/cpu/cpu(\d+)/cpu_capacity"


@dataclass(frozen=True)
class Core:
    """One core of a device.

    Attributes:
        number: As its kernel counts.
        speed: Highest clock in MHz, or the kernel's own measure; 0 where nothing is known.
    """

    number: int
    speed: float


def cores_in(raw: RawFiles, usable: tuple[int, ...]) -> tuple[Core, ...]:
    """Return the usable cores with what is known of their speeds."""
    clocks = {place: value / 1000 for place, value in raw.numbers(_CLOCK).items()}
    speeds = _by_number(_CLOCK, clocks) or _by_number(_CAPACITY, raw.numbers(_CAPACITY))
    return tuple(Core(number, speeds.get(number, 0.0)) for number in usable)


def _by_number(pattern: str, values: Mapping[str, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for place, value in values.items():
        match = re.fullmatch(pattern, place)
        assert match is not None
        found[int(match[1])] = value
    return found


def clocks_of(raw: RawFiles) -> str:
    """Return ``4 x 2400, 4 x 1800``: highest clocks in MHz, or nothing."""
    clocks = [value / 1000 for value in raw.numbers(_CLOCK).values()]
    return ", ".join(
        f"{clocks.count(clock)} x {clock:g}" for clock in sorted(set(clocks), reverse=True)
    )


def cores_for(
    choice: str, cores: tuple[Core, ...], threads: int, name: str
) -> tuple[int, ...] | None:
    """Return the numbers of the cores that a model is to run on, or None for all.

    Args:
        choice: ``cores`` of the configuration.
        cores: There.
        threads: Of the runtime.
        name: Of the device.

    Raises:
        UserError: There is no such core, or there are fewer than threads.
    """
    numbers = [core.number for core in cores]
    if choice[0].isdigit():
        asked = tuple(dict.fromkeys(int(each) for each in choice.split(",")))
        if missing := [number for number in asked if number not in numbers]:
            raise UserError(
                f"{name} has no core {missing[0]} that we may use",
                f"take cores of {name} from {', '.join(map(str, numbers))}",
            )
        _check_threads(threads, len(asked), name)
        return asked
    _check_threads(threads, len(cores), name)
    speeds = sorted({core.speed for core in cores}, reverse=choice == "big")
    if choice == "any" or len(speeds) < 2:
        return None
    chosen: list[int] = []
    for speed in speeds:
        if len(chosen) >= threads:
            break
        chosen += [core.number for core in cores if core.speed == speed]
    return tuple(sorted(chosen))


def _check_threads(threads: int, cores: int, name: str) -> None:
    if threads > cores:
        raise UserError(
            f"{threads} threads on {cores} cores of {name}: threads that wait for each other time "
            "nothing",
            f"set threads of {name} to {cores} or fewer, or give it more cores",
        )
