"""Energy sensors: what a board or a phone tells of its power, from the raw files that it shows.

One sensor is read, the first of these that is there; several are never added up, as one may hold
what another counts. The packages of an x86 processor and the cores of a Pixel are each counted
apart, so there the sum is of one kind.

References:
    Linux kernel, Documentation/hwmon/ina3221.rst and sysfs-interface.rst (millivolts,
    milliamperes, microwatts), Documentation/power/powercap/powercap.rst.
    NVIDIA, documentation of Jetson Linux, "Software-Based Power Consumption Modeling" (VDD_IN).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from components.devices.remote.energy_sensor import EnergySensor, number_in
from components.devices.remote.phone_energy import battery_in, rails_in
from components.devices.remote.raw_files import RawFiles

_LABELS = ("in*_label", "power*_label", "rail_name_*")
_WHOLE_BOARD = ("VDD_IN", "POM_5V_IN", "5V_IN")
"""Rails that all others hang on, by the names that Jetsons give them."""
_SUM_OF_SHUNTS = "sum of shunt voltages"


def files_of(sysfs: str) -> tuple[str, ...]:
    """Return patterns of all files that a sensor may show.

    Args:
        sysfs: Where the kernel shows its devices: ``/sys``.
    """
    chips = (
        f"{sysfs}/class/hwmon/hwmon*",
        f"{sysfs}/bus/i2c/drivers/ina3221x/*/iio:device*",  # Jetsons with kernel 4
    )
    return (
        f"{chips[0]}/name",
        *(f"{chip}/{label}" for chip in chips for label in _LABELS),
        *(f"{chips[0]}/{kind}*_input" for kind in ("in", "curr", "power")),
        *(f"{chips[1]}/in_{kind}*_input" for kind in ("power", "voltage", "current")),
        f"{sysfs}/class/powercap/intel-rapl:*/energy_uj",
        f"{sysfs}/class/powercap/intel-rapl:*/max_energy_range_uj",
        f"{sysfs}/bus/iio/devices/iio:device*/energy_value",
        *(
            f"{sysfs}/class/power_supply/*/{name}"
            for name in ("type", "online", "current_now", "voltage_now")
        ),
    )


def sensor_in(raw: RawFiles) -> EnergySensor | str:
    """Return the sensor to read, or why there is none.

    Args:
        raw: What ``files_of`` and ``COMMANDS`` have shown.
    """
    reasons: list[str] = []
    for find in (_board, _packages, rails_in, battery_in):
        found = find(raw)
        if isinstance(found, EnergySensor):
            return found
        if found:
            reasons.append(found)
    return reasons[0] if reasons else "not available: the device shows no counter of energy"


def _board(raw: RawFiles) -> EnergySensor | str:
    """Find the rail that feeds a whole board."""
    labels = {
        place: raw.text(place)
        for place in raw.texts
        if any(PurePosixPath(place).match(f"*/{label}") for label in _LABELS)
    }
    for name in _WHOLE_BOARD:
        for place in (each for each, label in labels.items() if label == name):
            if sensor := _rail(raw, place):
                return sensor
            return f"not available: {place} names {name}, and nothing there tells its power"
    chips = [str(PurePosixPath(place).parent) for place in labels]
    rails = {
        label
        for chip, label in zip(chips, labels.values(), strict=True)
        if "ina3221" in chip or raw.text(f"{chip}/name").startswith("ina3221")
    } - {_SUM_OF_SHUNTS}
    if rails:
        told = ", ".join(sorted(rails))
        return f"not available: {told} are parts of the board, and no rail is the whole of it"
    return ""


def _rail(raw: RawFiles, place: str) -> EnergySensor | None:
    """Return the sensor of the rail that a file names: its power, or its voltage and current."""
    folder, name = str(PurePosixPath(place).parent), PurePosixPath(place).name
    number = "".join(filter(str.isdecimal, name))
    if name.startswith("rail_name"):
        power, volts, amperes = (
            f"{folder}/in_{kind}{number}_input" for kind in ("power", "voltage", "current")
        )
        unit_w = 1e-3
    else:
        power, volts, amperes = (
            f"{folder}/{kind}{number}_input" for kind in ("power", "in", "curr")
        )
        unit_w = 1e-6
    if power in raw.texts:
        return EnergySensor("board", (power,), watts=lambda now: number_in(now, power) * unit_w)
    if volts in raw.texts and amperes in raw.texts:
        return EnergySensor(
            "board",
            (volts, amperes),
            watts=lambda now: number_in(now, volts) * number_in(now, amperes) * 1e-6,
        )
    return None


def _packages(raw: RawFiles) -> EnergySensor | str:
    """Find the counters of processor packages; parts of them have a second number."""
    pattern = r".*/powercap/intel-rapl:\d+/energy_uj"
    counters = sorted(raw.numbers(pattern))
    if not counters:
        refused = [place for place in raw.denied if re.fullmatch(pattern, place)]
        return f"not available: root alone may read {refused[0]} there" if refused else ""
    ranges = [each.replace("energy_uj", "max_energy_range_uj") for each in counters]
    full = [number_in(raw, each) if each in raw.texts else 0.0 for each in ranges]
    return EnergySensor(
        "CPU package", tuple(counters), joules=_Wrapping(tuple(counters), tuple(full))
    )


class _Wrapping:
    """The sum of counters that begin anew where they are full.

    Args:
        files: Of the counters, microjoules.
        full_uj: The largest number of each.
    """

    def __init__(self, files: Sequence[str], full_uj: Sequence[float]) -> None:
        self._full_uj = dict(zip(files, full_uj, strict=True))
        self._last_uj: dict[str, float] = {}
        self._sum_uj = 0.0

    def __call__(self, raw: RawFiles) -> float:
        for file, full_uj in self._full_uj.items():
            now_uj = number_in(raw, file)
            grown_uj = now_uj - self._last_uj.get(file, now_uj)
            self._sum_uj += grown_uj if grown_uj >= 0 else grown_uj + full_uj + 1
            self._last_uj[file] = now_uj
        return self._sum_uj / 1e6
