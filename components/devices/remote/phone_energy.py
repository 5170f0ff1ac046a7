"""Energy of phones: the rails of a Pixel's processor, and batteries.

References:
    Android, "Power Profiler" (rails of Pixel 6 and newer); drivers/iio/power/odpm.c (microjoules).
    Linux kernel, Documentation/ABI/testing/sysfs-class-power (microvolts, microamperes).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.devices.power import MeterError
from components.devices.remote.energy_sensor import EnergySensor, number_in
from components.devices.remote.raw_files import RawFiles

_CORES = re.compile(r"S\d+[A-Z]?_VDD_CPU(CL)?\d*(_M)?")
"""Rails of a Pixel's processor, such as ``S2M_VDD_CPUCL2``; each has a converter of its own."""
_CHANNEL = re.compile(r"^CH\d+\(T=\d+\)\[(\w+)\], (\d+)$", re.MULTILINE)
_TOLD_CHANNEL = re.compile(r"^\s*\[(\w+)\]:\S*\s+([\d.]+) mWs", re.MULTILINE)
_POWER_STATS = "dumpsys android.hardware.power.stats.IPowerStats/default"
_BATTERY = "dumpsys battery"
_LEAST_W = 0.02
"""A phone that is awake takes more: whoever tells less tells it in other units."""
CHARGES = "not available: the phone charges over its cable"
COMMANDS = (_POWER_STATS, _BATTERY)
"""What phones are asked besides files."""


def rails_in(raw: RawFiles) -> EnergySensor | str:
    """Find the rails of a Pixel's processor, as its kernel or its hardware service tells them."""
    places = [place for place in raw.texts if place.endswith("/energy_value")]
    counted = {place: cores_uj(raw.text(place)) for place in places}
    if shown := [place for place in places if counted[place]]:
        names = sorted(name for place in shown for name in counted[place])
        return EnergySensor(
            f"CPU rails ({', '.join(names)})", tuple(shown), look_s=0.5,
            joules=lambda now: _sum_uj([cores_uj(now.text(place)) for place in shown], names),
        )  # fmt: skip
    if told := told_uj(raw.text(_POWER_STATS)):
        names = sorted(told)
        return EnergySensor(
            f"CPU rails ({', '.join(names)})", (), (_POWER_STATS,), look_s=0.5,
            joules=lambda now: _sum_uj([told_uj(now.text(_POWER_STATS))], names),
        )  # fmt: skip
    return ""


def cores_uj(text: str) -> dict[str, float]:
    """Return the energy of the rails of cores in an ``energy_value``, microjoules by name."""
    return {name: float(uj) for name, uj in _CHANNEL.findall(text) if _CORES.fullmatch(name)}


def told_uj(text: str) -> dict[str, float]:
    """Return the same of what Android's power service prints."""
    found = _TOLD_CHANNEL.findall(text)
    return {name: 1e3 * float(mj) for name, mj in found if _CORES.fullmatch(name)}


def _sum_uj(parts: Sequence[dict[str, float]], names: Sequence[str]) -> float:
    """Return the joules of the same rails each time."""
    known = {name: uj for part in parts for name, uj in part.items()}
    if absent := [name for name in names if name not in known]:
        raise MeterError(f"not available: the rail {absent[0]} was no longer told")
    return sum(known[name] for name in names) / 1e6


def battery_in(raw: RawFiles) -> EnergySensor | str:
    """Find a battery that nothing else feeds."""
    types = {place: raw.text(place) for place in raw.texts if place.endswith("/type")}
    supplies = {place: kind for place, kind in types.items() if "/power_supply/" in place}
    batteries = [
        place.removesuffix("type") for place, kind in supplies.items() if kind == "Battery"
    ]
    if is_powered(raw):
        return CHARGES
    for folder in batteries:
        current, voltage = f"{folder}current_now", f"{folder}voltage_now"
        if current not in raw.texts or voltage not in raw.texts:
            continue
        online = tuple(place for place in raw.texts if place.endswith("/online"))

        def watts(now: RawFiles, current: str = current, voltage: str = voltage) -> float:
            if is_powered(now):
                raise MeterError(CHARGES)
            # Whether discharging counts as negative its maker decides.
            found_w = abs(number_in(now, current)) * number_in(now, voltage) * 1e-12
            if found_w < _LEAST_W:
                raise MeterError(
                    f"not available: {current} says {now.text(current)}, and no phone takes as "
                    "little: its maker uses another unit than microamperes"
                )
            return found_w

        return EnergySensor("whole phone", (current, voltage, *online), (_BATTERY,), watts=watts)
    if refused := [place for place in raw.denied if place.endswith("/current_now")]:
        return f"not available: {refused[0]} may not be read there"
    return ""


def is_powered(raw: RawFiles) -> bool:
    """Whether something else than its battery feeds a device.

    Android's own word counts, unless somebody has told it what to say.
    """
    told = raw.text(_BATTERY)
    if "UPDATES STOPPED" not in told and re.search(r"powered: true", told):
        return True
    lines = [place for place in raw.texts if re.fullmatch(r".*/power_supply/[^/]+/online", place)]
    return any(raw.text(place) == "1" for place in lines)
