"""How well a verifier separates: ROC curves and the scores of genuine and impostor pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.pages.charts.axes import Scale, exact, horizontal, padded, vertical
from components.pages.charts.svg import Box, picture, shorten, tag
from components.statistics.quantities import decimal
from components.statistics.roc import Roc
from components.statistics.verification import FAR

WIDTH = 430
"""User units: drawn once, for half a desk or a whole phone."""

_POINTS = 240
_LEAST_FAR = 1e-4
_GAP = 30.0


@dataclass(frozen=True)
class Verifier:
    """One model's scores on all pairs of a split.

    Attributes:
        name: The variant, or the baseline.
        style: Class that gives the colour: ``winner``, ``reference`` or ``over-budget``.
        roc: Its operating points.
        edges: b + 1 ends of the histogram's bins, over cosines.
        genuine: b counts of pairs of the same identity.
        impostor: b counts of pairs of different ones.
        threshold: Where it is used, or None.
        impostors: How many impostor pairs there are: the finest false accept rate.
    """

    name: str
    style: str
    roc: Roc
    edges: Sequence[float]
    genuine: Sequence[int]
    impostor: Sequence[int]
    threshold: float | None
    impostors: int


def roc_svg(verifiers: Sequence[Verifier], *, ident: str = "roc") -> Markup:
    """Draw true accepts against false accepts, the latter logarithmic: where the apps live.

    Args:
        verifiers: Drawn in order, so the most important comes last.
        ident: Unique in the page.
    """
    frame = Box(40, 34, WIDTH - 52, 262)
    finest = max(_LEAST_FAR, min(1 / one.impostors for one in verifiers))
    x = Scale(finest, 1, frame.x, frame.right, log=True)
    worst = min(float(one.roc.true_positive_rate[_cut(one.roc, finest)]) for one in verifiers)
    y = Scale(0.0 if worst < 0.5 else max(0.0, worst - 0.08), 1.0, frame.bottom, frame.y)
    drawn = [
        *vertical(y, frame, write=exact, most=5, title="true accept rate"),
        *horizontal(
            x, frame, write=lambda value: f"{value:g}", most=5,
            title="false accept rate (logarithmic)",
        ),
        tag("line", x1=x(FAR), x2=x(FAR), y1=frame.y, y2=frame.bottom, class_="chance"),
        *[tag("path", d=_path(one.roc, x, y), class_=f"curve {one.style}") for one in verifiers],
        *[_working_point(one, x, y) for one in verifiers if one.threshold is not None],
        *_legend(verifiers, frame),
    ]  # fmt: skip
    accepts = "; ".join(
        f"{one.name} accepts {decimal(float(one.roc.true_positive_rate[_cut(one.roc, FAR)]))} of "
        f"genuine pairs at a false accept rate of {FAR:g}"
        for one in reversed(verifiers)
    )
    return picture(
        *drawn, ident=ident, size=(WIDTH, frame.bottom + 44), title="ROC curves",
        description=accepts,
    )  # fmt: skip


def _cut(roc: Roc, rate: float) -> int:
    """Return the last operating point whose false accept rate keeps to ``rate``."""
    return int((roc.false_positive_rate <= rate * (1 + 1e-12)).sum()) - 1


def _path(roc: Roc, x: Scale, y: Scale) -> str:
    start = _cut(roc, x.low)
    thin = roc.thinned(_POINTS)
    path = f"M{x(x.low):.1f} {y(float(roc.true_positive_rate[start])):.1f}"
    for false, true in zip(thin.false_positive_rate, thin.true_positive_rate, strict=True):
        if false > x.low:
            path += f"L{x(float(false)):.1f} {y(float(true)):.1f}"
    return path


def _working_point(one: Verifier, x: Scale, y: Scale) -> Markup:
    assert one.threshold is not None
    cut = int((one.roc.thresholds >= one.threshold).sum()) - 1
    false, true = (
        float(rates[max(cut, 0)])
        for rates in (one.roc.false_positive_rate, one.roc.true_positive_rate)
    )
    hint = f"{one.name} at its threshold: false accepts {decimal(false)}, true {decimal(true)}"
    mark = tag(
        "circle", tag("title", hint), cx=x(max(false, x.low)), cy=y(true), r=4.5, class_="mark"
    )
    return tag("g", mark, class_=one.style)


def _legend(verifiers: Sequence[Verifier], frame: Box) -> list[Markup]:
    drawn: list[Markup] = []
    bottom = frame.bottom - 14
    for row, one in enumerate(verifiers):
        y = bottom - row * 19
        drawn += [
            tag("path", d=f"M{frame.right - 18:.1f} {y - 4:.1f}h18", class_=f"curve {one.style}"),
            tag("text", shorten(one.name, 190), x=frame.right - 26, y=y, text_anchor="end"),
        ]
    return drawn


def histogram_svg(verifiers: Sequence[Verifier], *, ident: str = "histogram") -> Markup:
    """Draw how the cosines of genuine and impostor pairs are spread, one panel a model.

    Both areas of a panel have the same size, however many pairs they stand for.

    Args:
        verifiers: One panel each, first on top.
        ident: Unique in the page.
    """
    count = len(verifiers)
    tall = (262 - (count - 1) * _GAP) / count
    low, high = _occupied(verifiers)
    x = Scale(low, high, 8, WIDTH - 8)
    drawn: list[Markup] = []
    frame = Box(8, 34, WIDTH - 16, tall)
    for row, one in enumerate(verifiers):
        frame = Box(8, 34 + row * (tall + _GAP), WIDTH - 16, tall)
        drawn += _panel(one, x, frame)
    drawn += horizontal(
        x, Box(frame.x, frame.bottom, frame.width, 0), write=exact,
        most=6, title="cosine of two embeddings",
    )  # fmt: skip
    return picture(
        *drawn, ident=ident, size=(WIDTH, frame.bottom + 44),
        title="Scores of genuine and impostor pairs",
        description="; ".join(_overlap_words(one) for one in verifiers),
    )  # fmt: skip


def _occupied(verifiers: Sequence[Verifier]) -> tuple[float, float]:
    """Return the ends of the bins that hold a pair, with the thresholds."""
    ends: list[float] = []
    for one in verifiers:
        both = [a + b for a, b in zip(one.genuine, one.impostor, strict=True)]
        used = [index for index, pairs in enumerate(both) if pairs]
        ends += [one.edges[used[0]], one.edges[used[-1] + 1]]
        ends += [one.threshold] if one.threshold is not None else []
    return padded(ends, share=0.03)


def _panel(one: Verifier, x: Scale, frame: Box) -> list[Markup]:
    shares = [[count / max(1, sum(side)) for count in side] for side in (one.genuine, one.impostor)]
    peak = max(max(share) for share in shares)
    y = Scale(0, peak, frame.bottom, frame.y + 16)
    drawn = [
        tag("path", d=_area(one.edges, share, x, y), class_=f"area {style}")
        for share, style in ((shares[1], "second"), (shares[0], "kept"))
    ]
    drawn.append(
        tag("line", x1=frame.x, x2=frame.right, y1=frame.bottom, y2=frame.bottom, class_="axis")
    )
    drawn.append(tag("text", shorten(one.name, 220), x=frame.x, y=frame.y - 2, class_="strong"))
    if one.threshold is not None:
        at = x(one.threshold)
        right = at > frame.x + frame.width * 0.75
        drawn += [
            tag("line", x1=at, x2=at, y1=frame.y + 4, y2=frame.bottom, class_="budget"),
            tag(
                "text", f"threshold {decimal(one.threshold)}", x=at + (-6 if right else 6),
                y=frame.y + 12, text_anchor="end" if right else "start", class_="budget-note halo",
            ),
        ]  # fmt: skip
    return drawn


def _area(edges: Sequence[float], shares: Sequence[float], x: Scale, y: Scale) -> str:
    used = [index for index, share in enumerate(shares) if share]
    if not used:
        return ""
    path = f"M{x(edges[used[0]]):.1f} {y(0):.1f}"
    for index in range(used[0], used[-1] + 1):
        path += f"V{y(shares[index]):.1f}H{x(edges[index + 1]):.1f}"
    return f"{path}V{y(0):.1f}z"


def _overlap_words(one: Verifier) -> str:
    pairs = f"{sum(one.genuine):,} genuine and {sum(one.impostor):,} impostor pairs"
    at = f", threshold {decimal(one.threshold)}" if one.threshold is not None else ""
    return f"{one.name}: {pairs}{at}"
