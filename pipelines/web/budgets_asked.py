"""Budgets that the query of an address asks for, in place of those that a run had."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from components.artifacts.budgets import DEVICE_LIMITS, Budgets, DeviceLimit
from components.artifacts.decision import Decision
from components.contract.errors import UserError
from components.selection.floors import floor_faults
from components.statistics.quantities import MEGABYTE
from pipelines.web.pareto_axes import DROP

KILOBYTE = 1000.0
FLOOR = "floor_"
"""What the field of a floor begins with; the name of its metric follows."""


def budgets_asked(decision: Decision, query: Mapping[str, str]) -> Budgets:
    """Return what has to be kept; what a query does not say is as the run was configured.

    Args:
        decision: As it was made.
        query: ``size_kb``, ``latency_ms`` and the other budgets of devices, empty for no limit;
            ``drop``; a field for each floor, such as ``floor_accuracy``, empty for none; ``per``,
            ``group`` or empty; and a field for each budget that a device has of its own, such as
            ``s21_latency_ms``, empty for none.

    Raises:
        UserError: A value can be none.
    """
    own = decision.budgets
    size = _number(query, "size_kb", own.size_mb and own.size_mb * MEGABYTE / KILOBYTE)
    return replace(
        own,
        # Exactly, whatever a division makes of it.
        size_mb=own.size_mb if "size_kb" not in query else size and size * KILOBYTE / MEGABYTE,
        **{key: _number(query, key, getattr(own, key)) for key in DEVICE_LIMITS},
        by_device=_by_device(query, own),
        drop=_drop(query, own.drop),
        at_least=_floors(decision, query),
        per=_per(query, own),
    )


def asked_per_group(decision: Decision, budgets: Budgets) -> bool | None:
    """Return whether floors hold for each group, too; None where the data tells of no groups."""
    if budgets.per or decision.budgets.per or any(one.groups for one in decision.variants):
        return budgets.per == "group"
    return None


def own_field(device: str, key: DeviceLimit) -> str:
    """Return the field of a budget that a device has of its own; no device has _ in its name."""
    return f"{device}_{key}"


def _by_device(
    query: Mapping[str, str], own: Budgets
) -> Mapping[str, Mapping[DeviceLimit, float]] | None:
    """Return the own budgets of devices; an empty one is taken away, so that the general holds."""
    found: dict[str, dict[DeviceLimit, float]] = {}
    for device, limits in (own.by_device or {}).items():
        for key, limit in limits.items():
            asked = _number(query, own_field(device, key), limit)
            if asked is not None:
                found.setdefault(device, {})[key] = asked
    return found or None


def _floors(decision: Decision, query: Mapping[str, str]) -> Mapping[str, float] | None:
    own = decision.budgets
    asked = {name.removeprefix(FLOOR): name for name in query if name.startswith(FLOOR)}
    floors = dict(own.floors)
    for metric, name in asked.items():
        for fault in floor_faults(decision.task, {metric: 0.0}, None):
            raise fault
        floors.pop(metric, None)
        if query[name].strip():
            floors[metric] = _floor(name, query[name])
    return own.at_least if floors == own.floors else floors


def _floor(name: str, text: str) -> float:
    value = _parsed(name, text)
    if not 0 <= value <= 1:
        raise UserError(
            f"{name} is {text[:40]}, and metrics lie between 0 and 1", "give one such as 0.95"
        )
    return value


def _per(query: Mapping[str, str], own: Budgets) -> str | None:
    text = query.get("per")
    if text is None:
        return own.per
    if text not in ("", "group"):
        raise UserError(f"per is {text[:40]!r}", "write per=group, or leave it empty")
    return "group" if text else None


def _number(query: Mapping[str, str], name: str, own: float | None) -> float | None:
    """Return a limit above 0; empty is none."""
    text = query.get(name)
    if text is None:
        return own
    if not text.strip():
        return None
    value = _parsed(name, text)
    if value <= 0:
        raise UserError(f"{name} is {text}, and no variant keeps that", "give a number above 0")
    return value


def _drop(query: Mapping[str, str], own: float) -> float:
    text = query.get(DROP)
    if text is None:
        return own
    value = _parsed(DROP, text)
    if value < 0:
        raise UserError(f"drop is {text}: a negative one asks for a gain", "give 0 or more")
    return value


def _parsed(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{name} is {text[:40]!r}, which is no number", "give a number such as 0.5")
    return value
