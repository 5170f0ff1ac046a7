"""A decision explored: other axes, budgets that are moved, and one variant looked at.

What is asked for stands in the query of an address. What follows from it is worked out here, by
the rules that chose: a script only asks for another address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from markupsafe import Markup

from components.artifacts.budgets import Budgets, DeviceBudget
from components.artifacts.decision import Decision, Goal, Verdict
from components.contract.errors import UserError, suggest
from components.pages.charts.pareto import pareto_svg
from components.pages.charts.pareto_parts import Exploring, Point
from components.pages.charts.svg import BESIDE, NARROW
from components.pages.words import VERDICTS, limits_in_words
from components.selection.again import choose_again
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    decimal,
    exact_places,
    short_bytes,
)
from pipelines.web.budgets_asked import (
    FLOOR,
    KILOBYTE,
    asked_per_group,
    budgets_asked,
    own_field,
)
from pipelines.web.dials import Dial, dials_of
from pipelines.web.pareto_axes import DROP, LATENCY, cost_axes, limits_of, metric_axes, points_of


@dataclass(frozen=True)
class Exploration:
    """What the query of an address asks for.

    Attributes:
        budgets: What has to be kept.
        minimize: What is best among those that keep every budget.
        cost: Name of the axis that runs to the right.
        metric: Name of the axis that runs upwards.
        shown: The variant that is looked at, or None.
    """

    budgets: Budgets
    minimize: Goal
    cost: str
    metric: str
    shown: str | None


def exploration_of(decision: Decision, query: Mapping[str, str]) -> Exploration:
    """Read a query; what it does not say is as the run was configured.

    Args:
        decision: As it was made.
        query: What ``budgets_asked`` reads; ``minimize``; ``x`` and ``y``; ``at``.

    Raises:
        UserError: A value can be none.
    """
    minimize = _one_of("minimize", query.get("minimize", decision.minimize), get_args(Goal))
    shown = query.get("at")
    return Exploration(
        budgets_asked(decision, query),
        "latency" if minimize == "latency" else "size",
        _one_of("x", query.get("x", "size"), list(cost_axes(decision))),
        _one_of("y", query.get("y", decision.metric), list(metric_axes(decision))),
        shown if any(one.name == shown for one in decision.variants) else None,
    )


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise UserError(f"{name} is {value[:40]!r}", suggest(value, known))
    return value


# what is shown ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dragged:
    """How a place on an axis is a budget: ``(place - origin) / unit`` of a field.

    Attributes:
        field: Of the query; empty where the axis has no budget that could be moved.
        origin: The place where the budget is 0.
        unit: The length of 1; below 0 where a budget grows against the axis.
    """

    field: str = ""
    origin: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class Explored:
    """What a page shows of a decision that is explored.

    Attributes:
        decision: As it would have been under the budgets that are asked for.
        moved: Whether those are others than the run's own.
        sentence: Who wins, or would win, and under which budgets.
        pictures: The Pareto picture for desks and for phones; None where nothing has both numbers.
        walk: Names of the variants in the picture, from left to right, then the others.
        missing: Names of those that are not in the picture.
        dials: The budgets.
        groups: Whether floors hold for each group, too; None where there are no groups.
        along: What dragging along the picture moves.
        upwards: What dragging upwards moves.
    """

    decision: Decision
    moved: bool
    sentence: str
    pictures: tuple[Markup, Markup] | None
    walk: Sequence[str]
    missing: Sequence[str]
    dials: Sequence[Dial]
    groups: bool | None
    along: Dragged
    upwards: Dragged


def explore(
    decision: Decision, asked: Exploration, called: Mapping[Verdict, str] = VERDICTS
) -> Explored:
    """Return what is shown of a decision.

    Args:
        decision: As it was made.
        asked: What the address asks for.
        called: By verdict its name under the run's own budgets: a winner may not qualify.
    """
    moved = (asked.budgets, asked.minimize) != (decision.budgets, decision.minimize)
    again = choose_again(decision, asked.budgets, asked.minimize) if moved else decision
    points = points_of(again, asked.cost, asked.metric)
    drawn = sorted(points, key=lambda point: (point.along.value, point.variant.name))
    walk = [point.variant.name for point in drawn]
    missing = [one.name for one in again.variants if one.name not in walk]
    return Explored(
        decision=again,
        moved=moved,
        sentence=_sentence(again, moved=moved),
        pictures=_pictures(decision, points, asked, VERDICTS if moved else called)
        if points
        else None,
        walk=[*walk, *missing],
        missing=missing,
        dials=list(dials_of(decision, asked.budgets, asked.metric)),
        groups=asked_per_group(decision, asked.budgets),
        along=_along(decision, asked.cost),
        upwards=_upwards(decision, asked.metric),
    )


def _sentence(decision: Decision, *, moved: bool) -> str:
    budgets, limits = decision.budgets, list[str]()
    limits += _short(budgets.on_every_device)
    if budgets.size_bytes is not None:
        limits.append(short_bytes(budgets.size_bytes))
    limits.append(f"drop {decimal(budgets.drop, exact_places(budgets.drop))}")
    for device, own in budgets.devices.items():
        limits.append(f"on {device} {' and '.join(_short(own))}")
    for name, floor in budgets.floors.items():
        least = f"{METRICS[name].title} at least {decimal(floor, exact_places(floor))}"
        limits.append(f"{least} in each group" if budgets.per else least)
    verb = "would win" if moved else "wins" if decision.winner else "won"
    return f"{decision.winner or 'Nothing'} {verb} at {', '.join(limits)}"


def _short(budget: DeviceBudget) -> list[str]:
    """Return the budgets of a device; of latency the time alone."""
    return [limit.removesuffix(" median latency") for limit in limits_in_words(budget)]


def _pictures(
    decision: Decision,
    points: Sequence[Point],
    asked: Exploration,
    called: Mapping[Verdict, str],
) -> tuple[Markup, Markup]:
    axes = (asked.cost, asked.metric)
    wide, narrow = (
        pareto_svg(
            points,
            metric_axes(decision)[asked.metric],
            cost_axes(decision)[asked.cost],
            limits_of(decision, decision.budgets, *axes),
            called=called,
            exploring=Exploring(limits_of(decision, asked.budgets, *axes), asked.shown),
            width=width,
            ident=f"explored-{width}",
        )
        for width in (BESIDE, NARROW)
    )
    return wide, narrow


def _along(decision: Decision, cost: str) -> Dragged:
    if cost == "size":
        return Dragged("size_kb", unit=KILOBYTE)
    if not cost.startswith(LATENCY):
        return Dragged()
    device = cost.removeprefix(LATENCY)
    own = decision.budgets.is_own(device, "latency_ms")
    return Dragged(own_field(device, "latency_ms") if own else "latency_ms")


def _upwards(decision: Decision, metric: str) -> Dragged:
    reference = decision.variant(decision.reference).metric
    if metric == DROP:
        return Dragged(DROP)
    if metric != decision.metric:  # its line is that of a floor, where there is one
        return Dragged(f"{FLOOR}{metric}") if METRICS[metric].higher_is_better else Dragged()
    if reference is None:
        return Dragged()
    return Dragged(DROP, reference.value, -1.0 if METRICS[metric].higher_is_better else 1.0)
