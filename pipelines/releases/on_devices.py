"""What a challenger takes on devices, held against what the champion had to keep there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from components.artifacts.budgets import DEVICE_LIMITS, Budgets, DeviceLimit
from components.selection.device_budgets import QUANTITIES
from components.statistics.bootstrap import Interval
from components.statistics.quantities import decimal, exact_places, with_interval

_KEYS: Final[Mapping[DeviceLimit, str]] = {
    "load_ms": "load_ms",
    "memory_mb": "peak_memory_bytes",
    "energy_mj": "mj_per_inference",
    "arena_kb": "arena_bytes",
    "flash_kb": "flash_bytes",
}
"""By the key of a budget that of its number in a manifest, whose medians stand elsewhere."""


def held_on_devices(
    challenger: Mapping[str, Any],
    champion: Mapping[str, Any],
    budgets: Budgets,
    devices: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """Hold the numbers of devices against budgets, on the devices that told the champion's.

    Args:
        challenger: Content of its manifest, or what it says of one file.
        champion: The same of the champion.
        budgets: What the champion had to keep.
        devices: Where the one takes the place of the other; empty is everywhere.

    Returns:
        What speaks against the challenger, and what is not known of it.
    """
    against: list[str] = []
    doubts: list[str] = []
    for key in DEVICE_LIMITS:
        told = _numbers(challenger, key)
        noun = "latency" if key == "latency_ms" else QUANTITIES[key].noun
        for device in _numbers(champion, key):
            limit: float | None = getattr(budgets.on(device), key)
            measured = told.get(device)
            if limit is None or (devices and device not in devices):
                continue
            if measured is None:
                doubts.append(
                    f"its {noun} on {device} was not measured, and the champion had to keep a limit"
                )
            elif measured.high / QUANTITIES[key].unit > limit:
                against.append(
                    f"its {noun} on {device}, {_written(key, measured)}, may exceed the "
                    f"{_limit(key, limit)} that the champion had to keep"
                )
    return against, doubts


def _written(key: DeviceLimit, measured: Interval) -> str:
    if key == "latency_ms":
        return f"{with_interval(measured)} ms"
    return QUANTITIES[key].alone(measured.high)


def _limit(key: DeviceLimit, limit: float) -> str:
    if key == "latency_ms":
        return f"{decimal(limit, exact_places(limit))} ms"
    return QUANTITIES[key].alone(limit * QUANTITIES[key].unit)


def _numbers(manifest: Mapping[str, Any], key: DeviceLimit) -> dict[str, Interval]:
    """Return what a release takes by device, where it was measured; its worse end is the upper."""
    try:
        selection: Mapping[str, Any] = manifest["selection"]
        if key == "latency_ms":
            return {
                device: Interval(**item) for device, item in selection["p50_ms"].items() if item
            }
        return {
            device: _interval(told[_KEYS[key]])
            for device, told in selection["devices"].items()
            if _KEYS[key] in told
        }
    except (LookupError, TypeError, AttributeError):
        return {}


def _interval(told: Mapping[str, float] | float) -> Interval:
    return Interval(**told) if isinstance(told, Mapping) else Interval(told, told, told)
