"""Gallery: the pictures that go with a decision, drawn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from markupsafe import Markup

from components.artifacts.decision import Candidate, Decision, Verdict
from components.measure.curve import MOST_CLASSES
from components.measure.paired import Answers
from components.pages.charts.confusion import Confused, confusion_svg, confusions_svg
from components.pages.charts.drop import interval_svg
from components.pages.charts.drops import Drop, drops_svg
from components.pages.charts.latency import Speed, latency_svg
from components.pages.charts.marks import mark_svg
from components.pages.charts.pareto import pareto_svg
from components.pages.charts.pareto_parts import BudgetLines, CostAxis, MetricAxis, Point
from components.pages.charts.recall import recall_svg
from components.pages.charts.roc import Verifier, histogram_svg, roc_svg
from components.pages.charts.svg import NARROW, WIDE
from components.pages.measurements import timed_devices
from components.pages.words import VERDICTS
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS, Predictions
from components.statistics.quantities import decimal
from components.statistics.verification import Pairs

WORST_PAIRS = 20
"""Of many classes, so many pairs are drawn."""
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


def pareto_pictures(
    decision: Decision,
    *,
    compressed: bool = False,
    called: Mapping[Verdict, str] = VERDICTS,
) -> tuple[Markup, Markup] | None:
    """Draw size against metric for desks and for phones; None when nothing has a metric.

    Args:
        decision: The variants, budgets and the front.
        compressed: Take the bytes after gzip, which no budget is of.
        called: By verdict its name on the page.
    """
    points = [
        Point(replace(one, size_bytes=one.gzip_bytes) if compressed else one, one.metric)
        for one in decision.variants
        if one.metric and one.size_bytes is not None
    ]
    if not points:
        return None
    metric = METRICS[decision.metric]
    limits = BudgetLines(
        cost=None if compressed else decision.budgets.size_bytes,
        metric=allowed_metric(decision),
    )
    wide, narrow = (
        pareto_svg(
            points,
            MetricAxis(metric.title, metric.higher_is_better),
            CostAxis(title="size after gzip") if compressed else None,
            limits,
            called=called,
            width=width,
            ident=f"pareto-{'gzip-' if compressed else ''}{width}",
        )
        for width in (WIDE, NARROW)
    )
    return wide, narrow


def allowed_metric(decision: Decision) -> float | None:
    """Return the reference's metric less the drop that is allowed; None where it has none."""
    reference = decision.variant(decision.reference).metric
    better = METRICS[decision.metric].higher_is_better
    allowed = decision.budgets.drop if better else -decision.budgets.drop
    return reference.value - allowed if reference else None


def marks(decision: Decision) -> list[tuple[Markup, Verdict]]:
    """Return the key of the Pareto picture: the marks that occur, with what they stand for."""
    seen = {one.verdict for one in decision.variants if one.metric and one.size_bytes}
    return [(mark_svg(verdict), verdict) for verdict in get_args(Verdict) if verdict in seen]


def latency_pictures(decision: Decision) -> tuple[Markup, Markup] | None:
    """Draw all medians for desks and for phones; None without a device."""
    timed = timed_devices(decision)
    speeds = [
        Speed(one, name) for one in decision.variants for name in timed if name in one.latency
    ]
    if not speeds:
        return None
    limits = {one.device: decision.budgets.on(one.device).latency_ms for one in speeds}
    wide, narrow = (
        latency_svg(speeds, budgets_ms=limits, width=width, ident=f"latency-{width}")
        for width in (WIDE, NARROW)
    )
    return wide, narrow


def drop_pictures(
    rows: Sequence[Candidate], decision: Decision, sealed: tuple[Interval, Verdict] | None
) -> tuple[Markup, Markup] | None:
    """Draw every drop as it is judged, for desks and for phones; None when none is known.

    Args:
        rows: The variants, in the order they are drawn.
        decision: Its budget and its winner.
        sealed: The winner's drop on the sealed images, and in which colour; drawn first.
    """
    drops = [
        Drop(one.name, one.drop, one.verdict)
        for one in rows
        if one.drop and one.name != decision.reference
    ]
    if sealed:
        drops.insert(0, Drop("on the sealed images", *sealed))
    if not drops:
        return None
    limit, metric = decision.budgets.drop, METRICS[decision.metric].title
    wide, narrow = (
        drops_svg(drops, limit=limit, metric=metric, width=width, ident=f"drops-{width}")
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
        recall = _recall(decision, reference, other) if other else []
        return [*recall, _confusion(*(other or (decision.reference, reference)))]
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
    before, after = (_predictions(one).recalls().tolist() for one in (reference, answers))
    classes = reference.evaluation.classes
    lost = [one - two for one, two in zip(before, after, strict=True)]
    worst = max(range(len(lost)), key=lambda place: lost[place])
    note = f"Most is lost on {classes[worst]}: {decimal(lost[worst])}."
    note = note if lost[worst] > 0 else "No class is found less often."
    shown = list(range(len(classes)))
    if len(classes) > MOST_CLASSES:
        shown = sorted(sorted(shown, key=lambda place: -lost[place])[:MOST_CLASSES])
        note += f" The {MOST_CLASSES} of {len(classes):,} classes that lose most."
    drawing = recall_svg(
        [classes[place] for place in shown],
        [before[place] for place in shown],
        [after[place] for place in shown],
        names=(decision.reference, name),
    )
    return [Picture("Recall by class", note, drawing)]


def _confusion(name: str, answers: Answers) -> Picture:
    """Draw what a classifier takes for what: all of it, or the worst pairs of many classes."""
    sample, classes = _predictions(answers), answers.evaluation.classes
    wrong = sample.confusions()
    note = f"{int(wrong[:, 2].sum()):,} of {sample.units:,} images are taken for another class."
    if len(classes) <= MOST_CLASSES:
        drawing = confusion_svg(classes, sample.confusion().tolist(), name=name)
        note += " Rows: what an image shows. Columns: what it is taken for."
        return Picture(f"Confusion matrix of {name}", note, drawing)
    rows: list[list[int]] = wrong[:WORST_PAIRS].tolist()
    totals = np.bincount(sample.labels, minlength=sample.classes)
    worst = [Confused(classes[a], classes[b], images, int(totals[a])) for a, b, images in rows]
    if len(wrong) > len(worst):
        note += f" The {len(worst)} worst of {len(wrong):,} pairs; confusions.csv beside the "
        note += "evaluation has all of them."
    return Picture(f"Confusions of {name}", note, confusions_svg(worst, name=name))


def _predictions(answers: Answers) -> Predictions:
    assert isinstance(answers.sample, Predictions)
    return answers.sample
