"""Floors: metrics that a variant must reach, in all and for each group, and what they say of one.

A floor holds when the *lower* end of the interval is at or above it. Where a group is too small to
be measured, whether it holds there is unknown, and what is unknown is not promised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.artifacts.budgets import Budgets
from components.artifacts.group_result import GroupResult
from components.contract.errors import UserError, suggest
from components.selection.device_budgets import Breach
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    decimal,
    distinct_digits,
    exact_places,
    with_interval,
)

SMALLEST = 0.01
"""What a shortfall is measured against where the floor itself is nearly nothing."""


def floor_faults(task: str, floors: Mapping[str, float], per: str | None) -> Iterator[UserError]:
    """Yield what is wrong with floors, whatever is measured.

    Args:
        task: "verification" or "classification".
        floors: By name of the metric.
        per: What each floor is to hold for besides the whole: "group" or nothing.
    """
    of_task = [name for name, metric in METRICS.items() if task in metric.tasks]
    valid = [name for name in of_task if METRICS[name].higher_is_better]
    for name in floors:
        if name not in of_task:
            yield UserError(f"{task} has no metric {name!r}", suggest(name, valid))
        elif name not in valid:
            yield UserError(
                f"{name} is the better the lower it is, so it has no floor",
                f"write floors of {', '.join(valid[:-1])} or {valid[-1]}",
            )
    if per and not floors:
        yield UserError(
            "floors are to hold for each group, and there are none",
            f"add at_least: {{{valid[0]}: 0.9}}, or remove per: group",
        )


def floor_breaches(
    metrics: Mapping[str, Interval], groups: Mapping[str, GroupResult], budgets: Budgets
) -> Iterator[Breach]:
    """Yield every floor that does not hold; of groups only the worst, with how many others.

    Args:
        metrics: Of all images.
        groups: Of each group.
        budgets: Hold the floors.
    """
    for name, floor in budgets.floors.items():
        title = METRICS[name].title
        found = metrics.get(name)
        if found and found.low < floor:
            yield _breach(title, found, floor)
        if budgets.per != "group":
            continue
        measured = {
            group: result.metrics[name]
            for group, result in groups.items()
            if name in result.metrics
        }
        below = {group: item for group, item in measured.items() if item.low < floor}
        if below:
            worst = min(below, key=lambda group: (below[group].low, group))
            more = "" if len(below) == 1 else f" (the worst of {len(below)} groups)"
            yield _breach(f"{title} of the group {worst!r}", below[worst], floor, more)


def _breach(what: str, found: Interval, floor: float, more: str = "") -> Breach:
    places = distinct_digits(found.low, floor, decimal, exact_places(floor))
    verb = "is below" if found.high < floor else "may be below"
    return Breach(
        f"{what} {with_interval(found, places)} {verb} {decimal(floor, places)}{more}",
        (floor - found.low) / max(floor, SMALLEST),
    )


def floor_doubt(
    metrics: Mapping[str, Interval], groups: Mapping[str, GroupResult], budgets: Budgets
) -> str | None:
    """Say which floor cannot be measured, or None; see ``floor_breaches``."""
    for name in budgets.floors:
        title = METRICS[name].title
        if name not in metrics:
            return f"{title} was not measured, so whether its floor holds is unknown"
        if budgets.per != "group":
            continue
        if not groups:
            return f"the data tells of no groups, so {title} for each of them is unknown"
        unknown = {
            group: result.unmeasured.get(name, "not measured")
            for group, result in groups.items()
            if name not in result.metrics
        }
        if unknown:
            group, reason = next(iter(unknown.items()))
            more = f", and for {len(unknown) - 1} more" if len(unknown) > 1 else ""
            return f"{title} cannot be measured for the group {group!r} ({reason}){more}"
    return None
