"""Gallery: the pictures that go with a decision, drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from markupsafe import Markup

from components.artifacts.decision import Decision, Verdict
from components.measure.paired import Answers
from components.pages.charts.drop import interval_svg
from components.pages.charts.latency import Speed, latency_svg
from components.pages.charts.pareto import Point, mark_svg, pareto_svg
from components.pages.charts.recall import recall_svg
from components.pages.charts.roc import Verifier, histogram_svg, roc_svg
from components.pages.charts.svg import NARROW, WIDE
from components.statistics.metrics import METRICS, Predictions
from components.statistics.quantities import decimal
from components.statistics.verification import Pairs

_BAR_BUDGETS = 5.0
"""Drops beyond so many budgets are drawn at the end of their axis."""


@dataclass(frozen=True)
class Picture:
    """A drawing with its heading.

    Attributes:
        title: Heading.
        note: One sentence below it.
        drawing: The SVG.
    """

    title: str
    note: str
    drawing: Markup


def pareto_pictures(decision: Decision) -> tuple[Markup, Markup] | None:
    """Draw size against metric for desks and for phones; None when nothing has a metric."""
    points = [
        Point(one, one.metric)
        for one in decision.variants
        if one.metric and one.size_bytes is not None
    ]
    if not points:
        return None
    better = METRICS[decision.metric].higher_is_better
    reference = decision.variant(decision.reference).metric
    allowed = decision.budgets.drop if better else -decision.budgets.drop
    wide, narrow = (
        pareto_svg(
            points,
            metric=METRICS[decision.metric].title,
            higher_is_better=better,
            size_budget_bytes=decision.budgets.size_bytes,
            metric_limit=reference.value - allowed if reference else None,
            width=width,
            ident=f"pareto-{width}",
        )
        for width in (WIDE, NARROW)
    )
    return wide, narrow


def marks(decision: Decision) -> list[tuple[Markup, Verdict]]:
    """Return the key of the Pareto picture: the marks that occur, with what they stand for."""
    seen = {one.verdict for one in decision.variants if one.metric and one.size_bytes}
    return [(mark_svg(verdict), verdict) for verdict in get_args(Verdict) if verdict in seen]


def latency_pictures(decision: Decision) -> tuple[Markup, Markup] | None:
    """Draw all medians for desks and for phones; None without a device."""
    speeds = [Speed(one, device) for one in decision.variants for device in one.latency]
    if not speeds:
        return None
    wide, narrow = (
        latency_svg(
            speeds, budget_ms=decision.budgets.latency_ms, width=width, ident=f"latency-{width}"
        )
        for width in (WIDE, NARROW)
    )
    return wide, narrow


def drop_bars(decision: Decision) -> dict[str, Markup]:
    """Draw every drop as a small bar on one axis: name to drawing."""
    drops = [one.drop for one in decision.variants if one.drop]
    limit = decision.budgets.drop
    reach = max(limit * _BAR_BUDGETS, 0.005)
    low = max(min([0.0, *(drop.low for drop in drops)]), -reach)
    high = max(min(max([limit, *(drop.high for drop in drops)]), reach), low + 1e-4)
    return {
        one.name: interval_svg(one.drop, low=low, high=high, limit=limit, verdict=one.verdict)
        for one in decision.variants
        if one.drop
    }


def answer_pictures(
    decision: Decision, reference: Answers | None, other: tuple[str, Answers] | None
) -> list[Picture]:
    """Draw how well the reference and the winner, or the nearest miss, separate.

    Args:
        decision: Names and verdicts.
        reference: What the reference answered; None after a crash.
        other: Name and answers of the one beside it.
    """
    if reference is None:
        return []
    if isinstance(reference.sample, Predictions):
        return _recall(decision, reference, other) if other else []
    shown = [_verifier(decision.reference, "reference", reference)]
    if other:
        shown.append(_verifier(other[0], "winner" if decision.winner else "undecided", other[1]))
    return [
        Picture(
            "ROC curves",
            "Genuine pairs accepted against impostor pairs accepted. Circles: at the threshold "
            "that was chosen on the validation images.",
            roc_svg(shown),
        ),
        Picture(
            "Genuine and impostor pairs",
            "Cosines of all pairs: blue of the same identity, orange of different ones.",
            histogram_svg(shown[::-1]),
        ),
    ]


def _verifier(name: str, style: str, answers: Answers) -> Verifier:
    pairs = answers.sample
    assert isinstance(pairs, Pairs)
    counts = pairs.histogram()
    return Verifier(
        name=name,
        style=style,
        roc=pairs.roc(),
        edges=[float(edge) for edge in counts["edges"]],
        genuine=[int(count) for count in counts["genuine"]],
        impostor=[int(count) for count in counts["impostor"]],
        threshold=answers.evaluation.threshold,
        impostors=sum(int(count) for count in counts["impostor"]),
    )


def _recall(decision: Decision, reference: Answers, other: tuple[str, Answers]) -> list[Picture]:
    name, answers = other
    before, after = (_recalls(one.sample) for one in (reference, answers))
    classes = reference.evaluation.classes
    lost = {label: before[i] - after[i] for i, label in enumerate(classes)}
    worst = max(lost, key=lambda label: lost[label])
    note = f"Most is lost on {worst}: {decimal(lost[worst])}."
    return [
        Picture(
            "Recall by class",
            note if lost[worst] > 0 else "No class is found less often.",
            recall_svg(classes, before, after, names=(decision.reference, name)),
        )
    ]


def _recalls(sample: Pairs | Predictions) -> Sequence[float]:
    assert isinstance(sample, Predictions)
    confusion = sample.confusion()
    return [float(x) for x in np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1)]
