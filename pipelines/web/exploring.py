"""A decision explored: other axes, budgets that are moved, and one variant looked at.

What is asked for stands in the query of an address. What follows from it is worked out here, by
the rules that chose: a script only asks for another address.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from markupsafe import Markup

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Decision, Goal
from components.contract.errors import UserError, suggest
from components.pages.charts.pareto import pareto_svg
from components.pages.charts.pareto_parts import Exploring, Point
from components.pages.charts.svg import BESIDE, NARROW
from components.selection.again import choose_again
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    MEGABYTE,
    decimal,
    exact_places,
    milliseconds,
    short_bytes,
)
from pipelines.web.pareto_axes import DROP, LATENCY, cost_axes, limits_of, metric_axes, points_of

_KILOBYTE = 1000.0


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
        query: ``size_kb``, ``latency_ms`` and ``drop``, empty for no limit; ``minimize``; ``x`` and
            ``y``; ``at``.

    Raises:
        UserError: A value can be none.
    """
    own = decision.budgets
    size = _number(query, "size_kb", own.size_mb and own.size_mb * MEGABYTE / _KILOBYTE)
    budgets = replace(
        own,
        size_mb=None if size is None else size * _KILOBYTE / MEGABYTE,
        latency_ms=_number(query, "latency_ms", own.latency_ms),
        drop=_drop(query, own.drop),
    )
    if "size_kb" not in query:  # exactly, whatever a division makes of it
        budgets = replace(budgets, size_mb=own.size_mb)
    minimize = _one_of("minimize", query.get("minimize", decision.minimize), get_args(Goal))
    shown = query.get("at")
    return Exploration(
        budgets,
        "latency" if minimize == "latency" else "size",
        _one_of("x", query.get("x", "size"), list(cost_axes(decision))),
        _one_of("y", query.get("y", decision.metric), list(metric_axes(decision))),
        shown if any(one.name == shown for one in decision.variants) else None,
    )


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


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise UserError(f"{name} is {value[:40]!r}", suggest(value, known))
    return value


# what is shown ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dial:
    """A budget that can be moved.

    Attributes:
        field: Its name in the query.
        label: What it limits, with the unit.
        value: As it stands, in that unit, exactly; empty for no limit.
        low: Where a slide for it begins.
        high: Where it ends.
        log: Whether equal ways on it are equal ratios.
    """

    field: str
    label: str
    value: str
    low: float
    high: float
    log: bool


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
    along: Dragged
    upwards: Dragged


def explore(decision: Decision, asked: Exploration) -> Explored:
    """Return what is shown of a decision.

    Args:
        decision: As it was made.
        asked: What the address asks for.
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
        pictures=_pictures(decision, points, asked) if points else None,
        walk=[*walk, *missing],
        missing=missing,
        dials=list(_dials(decision, asked.budgets)),
        along=_along(asked.cost),
        upwards=_upwards(decision, asked.metric),
    )


def _sentence(decision: Decision, *, moved: bool) -> str:
    budgets, limits = decision.budgets, list[str]()
    if budgets.latency_ms is not None:
        limits.append(milliseconds(budgets.latency_ms))
    if budgets.size_bytes is not None:
        limits.append(short_bytes(budgets.size_bytes))
    limits.append(f"drop {decimal(budgets.drop, exact_places(budgets.drop))}")
    verb = "would win" if moved else "wins" if decision.winner else "won"
    return f"{decision.winner or 'Nothing'} {verb} at {', '.join(limits)}"


def _pictures(
    decision: Decision, points: Sequence[Point], asked: Exploration
) -> tuple[Markup, Markup]:
    axes = (asked.cost, asked.metric)
    wide, narrow = (
        pareto_svg(
            points,
            metric_axes(decision)[asked.metric],
            cost_axes(decision)[asked.cost],
            limits_of(decision, decision.budgets, *axes),
            exploring=Exploring(limits_of(decision, asked.budgets, *axes), asked.shown),
            width=width,
            ident=f"explored-{width}",
        )
        for width in (BESIDE, NARROW)
    )
    return wide, narrow


def _along(cost: str) -> Dragged:
    if cost == "size":
        return Dragged("size_kb", unit=_KILOBYTE)
    return Dragged("latency_ms") if cost.startswith(LATENCY) else Dragged()


def _upwards(decision: Decision, metric: str) -> Dragged:
    reference = decision.variant(decision.reference).metric
    if metric == DROP:
        return Dragged(DROP)
    if metric != decision.metric or reference is None:
        return Dragged()
    return Dragged(DROP, reference.value, -1.0 if METRICS[metric].higher_is_better else 1.0)


def _dials(decision: Decision, budgets: Budgets) -> Iterator[Dial]:
    own = decision.budgets
    sizes = [float(one.size_bytes) for one in decision.variants if one.size_bytes]
    sizes += [float(own.size_bytes)] if own.size_bytes else []
    if sizes:
        size = budgets.size_mb and budgets.size_mb * MEGABYTE / _KILOBYTE
        low, high = min(sizes) / _KILOBYTE / 1.5, max(sizes) / _KILOBYTE * 1.5
        yield Dial("size_kb", "Size, kB", _written(size), low, high, log=True)
    timings = [item.p50_ms for one in decision.variants for item in one.latency.values()]
    times = [end for p50 in timings if p50 for end in (p50.low, p50.high) if end > 0]
    times += [own.latency_ms] if own.latency_ms else []
    if times:
        low, high = min(times) / 1.5, max(times) * 1.5
        yield Dial("latency_ms", "Latency, ms", _written(budgets.latency_ms), low, high, log=True)
    drops = [one.drop.high for one in decision.variants if one.drop and one.candidate]
    high = max([0.001, 3 * own.drop, *drops]) * 1.2
    label = f"Drop of {METRICS[decision.metric].title}"
    yield Dial(DROP, label, _written(budgets.drop), 0.0, high, log=False)


def _written(value: float | None) -> str:
    """Write a number such that reading it gives the same one."""
    return "" if value is None else f"{value:.12g}"
