"""Next steps: what to try when nothing keeps every budget, and why that may help.

Every sentence rests on something that was measured: which budgets are missed and by how much, how
wide the intervals are, and how the trainings ended. What cannot be told from that is not advised.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate
from components.artifacts.history import Curve
from components.artifacts.making import Making
from components.selection.budgets import breaches_of
from components.selection.device_budgets import Breach, device_doubt
from components.selection.floors import floor_breaches, floor_doubt
from components.selection.lighter import beyond, lighter
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    decimal,
    exact_places,
    with_interval,
    written_above,
)

_RISING = 0.002
"""A validation metric that gained so much in the last quarter of a training has not settled."""
_LATE = 0.9
"""Of its epochs a training has to be through when the kept one comes, to count as unfinished."""
_SHOWN = 3
"""Of the nearest misses so many are looked at."""
_BUDGETS = (
    "drop", "latency", "load", "memory", "energy", "arena", "flash", "size", "a floor",
)  # fmt: skip


def next_steps(
    near: Sequence[Candidate],
    budgets: Budgets,
    makings: Mapping[str, Making],
    *,
    units: int,
    unit: str,
) -> tuple[str, ...]:
    """Return what to try, one sentence each, without a full stop; the likeliest help first.

    Args:
        near: The candidates that ran and did not win, nearest first; nobody won.
        budgets: What had to be kept.
        makings: How their files came about, by name, as far as that is known.
        units: How many images, or identities, judged.
        unit: What those are, in the plural.
    """
    if not near:
        return ()
    binding = _binding(near, budgets)
    losing = near[:_SHOWN] if "drop" in binding else ()  # else others lose little enough
    return (
        *binding.values(),
        *_more_images(losing, budgets, units, unit),
        *_trainings(losing, budgets, makings),
        *lighter(near[0], missed_budgets(near[0], budgets), budgets),
    )


def images_needed(drop: Interval, limit: float, units: int) -> int | None:
    """Return how many units must judge so that a drop would be proven to keep its budget.

    The interval is taken to shrink with the square root of the units, around the same value.

    Args:
        drop: As measured on ``units`` of them.
        limit: The budget.
        units: How many judged.

    Returns:
        None where more of them cannot help: the drop itself is at the budget or beyond, or it is
        proven already.

    Example:
        >>> images_needed(Interval(0.01, 0.0, 0.03), 0.02, 100)
        400
    """
    room = limit - drop.value
    if room <= 0 or drop.high <= limit:
        return None
    return math.ceil(round(units * ((drop.high - drop.value) / room) ** 2, 6))


def _binding(near: Sequence[Candidate], budgets: Budgets) -> dict[str, str]:
    """Say by budget that it binds, by how much, and who would win without it.

    One binds that everybody misses, or that is all that somebody misses; where there is none of
    that kind, all that are missed. Those come first that are enough to be looser, then those that
    most candidates miss.
    """
    missed = {one.name: missed_budgets(one, budgets) for one in near}
    found = {
        budget: {name: each[budget] for name, each in missed.items() if budget in each}
        for budget in _BUDGETS
    }
    over_by = {budget: over for budget, over in found.items() if over}
    alone_by = {
        budget: [one for one in near if missed[one.name].keys() == {budget}] for budget in over_by
    }
    binding = [
        budget for budget, over in over_by.items() if alone_by[budget] or len(over) == len(near)
    ]
    told: dict[str, str] = {}
    for budget in sorted(
        binding or over_by, key=lambda each: (not alone_by[each], -len(over_by[each]))
    ):
        over = over_by[budget]
        name = min(over, key=lambda each: (over[each].excess, each))
        breach = over[name]
        text = (
            f"{budget} binds: {_of_candidates(len(over), len(near))} it, the nearest is "
            f"{name} ({breach.text}"
        )
        text += f"; {beyond(breach.excess)} beyond)" if math.isfinite(breach.excess) else ")"
        alone = [one for one in alone_by[budget] if _settled(one, budgets)]
        if alone and budget != "a floor":
            first = min(alone, key=lambda one: (over[one.name].excess, one.name))
            text += (
                f". {first.name} misses nothing else: it keeps every budget with "
                f"{_looser(first, budget, budgets)}"
            )
        told[budget] = text
    return told


def _of_candidates(number: int, all_of_them: int) -> str:
    """Say how many candidates miss: ``all 6 candidates miss``, ``2 of 6 candidates miss``."""
    if all_of_them == 1:
        return "the one candidate misses"
    return f"{'all' if number == all_of_them else f'{number} of'} {all_of_them} candidates miss"


def missed_budgets(one: Candidate, budgets: Budgets) -> dict[str, Breach]:
    """Return the worst breach of each budget that a candidate misses."""
    found: dict[str, Breach] = {}
    for breach in breaches_of(one, budgets):
        worst = found.setdefault(breach.budget, breach)
        found[breach.budget] = max(worst, breach, key=lambda each: each.excess)
    floors = list(floor_breaches(one.metrics, one.groups, budgets))
    if floors:
        found["a floor"] = max(floors, key=lambda each: each.excess)
    return found


def _settled(one: Candidate, budgets: Budgets) -> bool:
    """Whether all of a candidate is known, so that budgets alone decide on it."""
    known = all(timing.verdict == "stable" for timing in one.latency.values())
    doubt = device_doubt(one, budgets) or floor_doubt(one.metrics, one.groups, budgets)
    return known and doubt is None


def _looser(one: Candidate, budget: str, budgets: Budgets) -> str:
    """Return the edits of the configuration that let a candidate keep a budget."""
    needed: dict[str, float] = {}
    for breach in breaches_of(one, budgets):
        if breach.budget == budget:  # of a general one and each device's own
            needed[breach.allowed] = max(needed.get(breach.allowed, 0.0), breach.needed)
    return " and ".join(edit.format(written_above(value)) for edit, value in needed.items())


def _more_images(
    near: Sequence[Candidate], budgets: Budgets, units: int, unit: str
) -> Iterator[str]:
    for one in near:
        needed = images_needed(one.drop, budgets.drop, units) if one.drop else None
        if one.drop and needed is not None:
            yield (
                f"more selection {unit}: {one.name} drops by {with_interval(one.drop)}, within "
                f"{decimal(budgets.drop, exact_places(budgets.drop))} but for the width of the "
                f"interval. About {needed:,} {unit} would prove it at the same drop; {units:,} "
                "judged. Raise selection under split:, or add data"
            )


def _trainings(
    near: Sequence[Candidate], budgets: Budgets, makings: Mapping[str, Making]
) -> Iterator[str]:
    """Advise on trainings of candidates that drop too much: only what their curves show."""
    told: set[Curve] = set()
    for one in near:
        making = makings.get(one.name)
        if making is None or "drop" not in missed_budgets(one, budgets):
            continue
        last = next((facts for facts in making.history[::-1] if facts.curve), None)
        if last and last.curve and last.curve not in told:
            told.add(last.curve)
            component = str(one.steps[last.step].get("component", "training"))
            advice = list(_unfinished(one.name, component, last.curve))
            yield from advice or _settled_training(one, component, last.curve, budgets)


def _unfinished(name: str, component: str, curve: Curve) -> Iterator[str]:
    """Say that a training had not settled, if it had not, and what to change."""
    rise = rise_at_end(curve)
    if rise is None or rise < _RISING or curve.kept < _LATE * curve.epochs:
        return
    title = METRICS[curve.metric].title if curve.metric in METRICS else curve.metric
    yield (
        f"longer training: the step {component} of {name} was still improving when it ended, by "
        f"{decimal(rise)} of {title} on validation in its last quarter. "
        f"Try epochs: {2 * curve.epochs} in place of {curve.epochs}"
    )
    if curve.augment != "none":
        yield (
            f"no augmentation: the step {component} of {name} changes its images (augment: "
            f"{curve.augment}), which takes longer to learn from, and {curve.epochs} epochs were "
            "not enough. Try augment: none, beside longer training"
        )


def _settled_training(
    one: Candidate, component: str, curve: Curve, budgets: Budgets
) -> Iterator[str]:
    """Say that neither images nor epochs can help where the drop itself is beyond the budget."""
    evidence = _settled_by(curve)
    if evidence and one.drop and one.drop.value > budgets.drop:
        yield (
            f"more capacity: the drop of {one.name} itself, "
            f"{decimal(one.drop.value, exact_places(budgets.drop))}, is beyond the budget, and its "
            f"step {component} had settled ({evidence}). More images to judge cannot prove less; a "
            "wider student (alpha or widths) or a milder step may lose less"
        )


def _settled_by(curve: Curve) -> str:
    """Say what shows that a training had settled; empty where nothing does."""
    if curve.kept < _LATE * curve.epochs:
        return f"epoch {curve.kept} of {curve.epochs} was the best"
    rise = rise_at_end(curve)
    if rise is None:
        return ""
    return f"validation gained {decimal(max(rise, 0.0))} in the last quarter of its epochs"


def rise_at_end(curve: Curve) -> float | None:
    """Return by how much validation rose in the last quarter of a training; None if unknown."""
    values = [
        (point.epoch, point.validation) for point in curve.points if point.validation is not None
    ]
    early = [value for epoch, value in values if epoch <= 0.75 * curve.epochs]
    late = [value for epoch, value in values if epoch > 0.75 * curve.epochs]
    return max(late) - max(early) if early and late else None
