"""States: what changes while a device runs, from the raw files that it shows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from components.devices.device import State
from components.devices.remote.raw_files import RawFiles, reading_script

_ZONES = r"/sys/class/thermal/thermal_zone\d+/temp"
_CPU = r"/sys/devices/system/cpu/cpu\d+/cpufreq/"
_SUPPLY = re.compile(r"/sys/class/power_supply/([^/]+)/type")
_HOTTEST_C = 150.0  # zones that nothing is connected to tell fancy numbers
_PI_BITS = "/sys/devices/platform/soc/soc:firmware/get_throttled"
_UNDER_VOLTAGE = 1  # bit 0 of what the firmware of a Raspberry Pi tells
_FULL, _CHARGING = "5", "2"  # of ``dumpsys battery``

SCRIPT = reading_script(
    (
        "/proc/loadavg",
        "/proc/pressure/cpu",
        "/proc/meminfo",
        "/sys/class/thermal/thermal_zone*/temp",
        "/sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq",
        "/sys/devices/system/cpu/cpu*/cpufreq/scaling_max_freq",
        "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        "/sys/class/power_supply/*/type",
        "/sys/class/power_supply/*/capacity",
        "/sys/class/power_supply/*/status",
        "/sys/class/power_supply/*/online",
        _PI_BITS,
    ),
    (
        "vcgencmd get_throttled",
        "dumpsys thermalservice",
        "dumpsys battery",
        "dumpsys deviceidle get screen",
        "settings get global low_power",
    ),
)
"""Prints what ``state_of`` reads."""


def state_of(raw: RawFiles) -> State:
    """Return how a device is.

    Returns:
        As far as it can be read: ``load_1min``; ``memory_available_mb``; ``temperature_c``, of the
        hottest zone; ``frequency_mhz``, the mean of the cores; ``max_frequency_mhz``, the mean of
        what they may reach at the moment; ``governor``; ``thermal_status``, 0 to 6 as Android
        counts; ``throttled_bits``, as a Raspberry Pi tells them; ``battery_percent``; ``charging``,
        ``battery_saver`` and ``screen``, ``on`` or ``off``. ``denied`` where reading is refused.
    """
    return {
        **_load(raw),
        **_heat(raw),
        **_clocks(raw),
        **_battery(raw),
        **_switch(raw, "battery_saver", "settings get global low_power", on="1", off="0"),
        **_switch(raw, "screen", "dumpsys deviceidle get screen", on="true", off="false"),
    }


def waited_s(raw: RawFiles) -> float | None:
    """Return for how long anything there has waited for a processor, since it was started."""
    found = re.search(r"^some .*total=(\d+)", raw.text("/proc/pressure/cpu"), re.MULTILINE)
    return int(found[1]) / 1e6 if found else None


def fault_of(state: State) -> tuple[str, str] | None:
    """Return why nothing is to be measured in this state and what helps, or None.

    Heat is none: it passes.
    """
    if state.get("battery_saver") == "on":
        return "saves its battery", "switch the battery saver off"
    battery = state.get("battery_percent")
    if isinstance(battery, float) and battery < LEAST_BATTERY_PERCENT:
        return f"has {battery:g} % of its battery left", f"charge it above {LEAST_BATTERY_PERCENT}"
    bits = state.get("throttled_bits")
    if isinstance(bits, float) and int(bits) & _UNDER_VOLTAGE:
        return "has too little voltage", "give it the power supply of its maker"
    return None


LEAST_BATTERY_PERCENT = 20
"""Below it phones save power on their own."""


def is_hot(state: State) -> bool:
    """Whether the device says that it slows itself down, or is about to."""
    status, bits = state.get("thermal_status"), state.get("throttled_bits")
    return (isinstance(status, float) and status > 0) or (
        isinstance(bits, float) and bool(int(bits) & _SLOWED)
    )


_SLOWED = 0b1110
"""Of a Raspberry Pi's bits: frequency capped, throttled, soft limit of heat, at the moment."""


def _load(raw: RawFiles) -> Mapping[str, float]:
    found: dict[str, float] = {}
    if load := raw.text("/proc/loadavg").split():
        found["load_1min"] = float(load[0])
    if free := re.search(r"^MemAvailable:\s+(\d+) kB", raw.text("/proc/meminfo"), re.MULTILINE):
        found["memory_available_mb"] = int(free[1]) * 1024 / 1e6
    return found


def _heat(raw: RawFiles) -> State:
    found: dict[str, float | str] = {}
    zones = [each / 1000 for each in raw.numbers(_ZONES).values()]
    if known := [each for each in zones if 0 < each < _HOTTEST_C]:
        found["temperature_c"] = max(known)
    elif raw.refused(_ZONES):
        found["temperature_c"] = "denied"
    told = raw.text("dumpsys thermalservice")
    if status := re.search(r"Thermal Status: (\d+)", told):
        found["thermal_status"] = float(status[1])
    bits = raw.text("vcgencmd get_throttled").rpartition("=")[2] or raw.text(_PI_BITS)
    if re.fullmatch(r"(0x)?[0-9a-fA-F]+", bits):
        found["throttled_bits"] = float(int(bits, 16))
    return found


def _clocks(raw: RawFiles) -> State:
    found: dict[str, float | str] = {}
    for name, file in (("frequency_mhz", "cur"), ("max_frequency_mhz", "max")):
        pattern = f"{_CPU}scaling_{file}_freq"
        if clocks := raw.numbers(pattern).values():
            found[name] = sum(clocks) / len(clocks) / 1000
        elif raw.refused(pattern):
            found[name] = "denied"
    governors = [
        raw.text(place) for place in raw.texts if re.fullmatch(f"{_CPU}scaling_governor", place)
    ]
    if governors:
        found["governor"] = ", ".join(sorted(set(governors)))
    return found


def _battery(raw: RawFiles) -> State:
    """Return charge and charging: Android's own word, or the kernel's of a laptop or a board."""
    told = dict(re.findall(r"^\s*(.+?): (\S+)\s*$", raw.text("dumpsys battery"), re.MULTILINE))
    if "level" in told:
        charging = told.get("status") in (_FULL, _CHARGING)
        return {"battery_percent": float(told["level"]), "charging": "on" if charging else "off"}
    for place in raw.texts:
        supply = _SUPPLY.fullmatch(place)
        if supply and raw.text(place) == "Battery":
            folder = place.removesuffix("type")
            status, level = raw.text(f"{folder}status"), raw.numbers(re.escape(f"{folder}capacity"))
            on = status in ("Charging", "Full", "Not charging")
            known = {"charging": "on" if on else "off"} if status else {}
            return {**known, **({"battery_percent": min(level.values())} if level else {})}
    return {}


def _switch(raw: RawFiles, name: str, place: str, *, on: str, off: str) -> State:
    told = raw.text(place)
    return {name: "on" if told == on else "off"} if told in (on, off) else {}
