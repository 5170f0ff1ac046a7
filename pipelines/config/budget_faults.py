"""Faults of budgets that no device of the list could tell anything about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from components.artifacts.budgets import DeviceLimit
from components.contract.errors import suggest
from pipelines.config.faults import Fault

if TYPE_CHECKING:
    from pipelines.config.budgets import BudgetSection
    from pipelines.config.device_section import DeviceSection

_ENERGY: Final[DeviceLimit] = "energy_mj"
_NOUNS: Final[dict[DeviceLimit, str]] = {
    "latency_ms": "how long an inference takes",
    "load_ms": "how long loading takes",
    "memory_mb": "how much memory a process takes",
    _ENERGY: "what energy an inference takes",
    "arena_kb": "how large an arena is",
    "flash_kb": "how much flash a model takes",
}
_TELLING: Final[dict[DeviceLimit, str]] = {
    _ENERGY: "{kind: host, energy: true}",
    "arena_kb": "microcontroller",
    "flash_kb": "microcontroller",
}
"""By the key of a budget what to add to the list so that something tells of it; else this host."""


def budget_faults(
    budgets: BudgetSection, listed: Mapping[str, DeviceSection], minimize: str
) -> Iterator[Fault]:
    """Check that each budget of devices limits what some device of the list measures.

    Args:
        budgets: The section.
        listed: The devices by their names, in the order of the list.
        minimize: What is best among those that keep them: ``size`` or ``latency``.
    """
    own = budgets.by_device or {}
    for name in budgets.devices or {}:
        if name not in listed:
            place = ("budgets", "devices", name)
            what = f"budgets.devices: devices lists none that is called {name!r}"
            yield place, what, suggest(name, listed)
    for key in budgets.limits:
        yield from _general(budgets, key, listed)
    for name, limits in own.items():
        for key in limits if name in listed else ():
            yield from _own(name, key, listed)
    timed = any("latency_ms" in device.measured for device in listed.values())
    if minimize == "latency" and not timed:
        what = "minimize: latency, and none of devices tells how long an inference takes"
        yield ("minimize",), what, "add host to devices, or write minimize: size"


def _general(
    budgets: BudgetSection, key: DeviceLimit, listed: Mapping[str, DeviceSection]
) -> Iterator[Fault]:
    telling = {name: one for name, one in listed.items() if key in one.measured}
    if not telling:
        yield (
            ("budgets", key),
            f"budgets.{key}: none of devices ({', '.join(listed)}) tells {_NOUNS[key]}",
            f"add {_TELLING.get(key, 'host')} to devices, or remove {key}",
        )
        return
    own = budgets.by_device or {}
    for name in telling:
        if key == _ENERGY and key not in own.get(name, {}):
            yield from _unasked(name, listed, ("budgets", key), f"budgets.{key}")


def _own(name: str, key: DeviceLimit, listed: Mapping[str, DeviceSection]) -> Iterator[Fault]:
    device = listed[name]
    place, where = ("budgets", "devices", name, key), f"budgets.devices.{name}.{key}"
    if key not in device.measured:
        can = ", ".join(device.measured)
        what = f"{where}: {name} does not tell {_NOUNS[key]}"
        yield place, what, f"remove {key} there; a budget of it can be {can}"
    elif key == _ENERGY:
        yield from _unasked(name, listed, place, where)


def _unasked(
    name: str, listed: Mapping[str, DeviceSection], place: tuple[str, ...], where: str
) -> Iterator[Fault]:
    """Refuse a budget of energy on a device that is not asked for it."""
    device = listed[name]
    if device.parameters.get("energy"):
        return
    index = list(listed).index(name)
    told = {key: device.parameters[key] for key in device.told_apart_by if key in device.parameters}
    kind: str = getattr(device, "kind")  # noqa: B009 of every kind
    keys = ", ".join(f"{key}: {value}" for key, value in {"kind": kind, **told}.items())
    section = f"devices[{index}], as in {{{keys}, energy: true}}"
    yield (
        place,
        f"{where}: what an inference takes on {name} is not measured",
        f"add energy: true to {section}, or remove {_ENERGY}",
    )
