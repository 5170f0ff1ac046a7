"""Training curves: loss and validation, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.artifacts.history import Curve
from components.pages.charts.axes import Scale, exact, horizontal, padded, vertical
from components.pages.charts.svg import NARROW, Box, picture, tag, text_width
from components.statistics.quantities import decimal, significant

_HEIGHT = 92.0
_LOG_RATIO = 20.0
"""Losses whose largest is so many times their smallest are drawn on a logarithmic axis."""


def training_svg(curve: Curve, *, name: str, metric: str, ident: str) -> Markup:
    """Draw the loss and, below it, the validation metric of one training.

    Args:
        curve: At most some tens of its epochs.
        name: Of the step, for screen readers.
        metric: Title of what validation measures.
        ident: Unique in the page.
    """
    left, right = 52.0, NARROW - 14.0
    top = Box(left, 34, right - left, _HEIGHT)
    bottom = Box(left, top.bottom + 50, right - left, _HEIGHT)
    x = Scale(min(1, curve.points[0].epoch), max(2, curve.epochs), left, right)
    losses = [(point.epoch, point.loss) for point in curve.points]
    validated = [
        (point.epoch, point.validation) for point in curve.points if point.validation is not None
    ]
    drawn = [
        *_frame(
            x,
            top,
            "loss on the training images",
            [loss for _, loss in losses],
            None,
            under="" if validated else "epoch",
        ),
        _line(losses, x, _losses(losses, top), "reference"),
    ]
    if validated:
        values = [value for _, value in validated]
        before = [] if curve.before is None else [curve.before]
        y = Scale(*padded([*values, *before], share=0.1), bottom.bottom, bottom.y)
        drawn += _frame(x, bottom, f"{metric} on validation", values, y)
        if curve.before is not None:
            drawn += _before(curve.before, y, bottom)
        drawn += [_line(validated, x, y, "kept"), *_kept(curve, dict(validated), x, y, bottom)]
    height = (bottom if validated else top).bottom + 40
    return picture(
        *drawn, ident=ident, size=(NARROW, height), title=f"Training of {name}",
        description=_words(curve, metric),
    )  # fmt: skip


def _losses(losses: Sequence[tuple[int, float]], frame: Box) -> Scale:
    values = [loss for _, loss in losses]
    low, high = min(values), max(values)
    if low > 0 and high > _LOG_RATIO * low:
        return Scale(*padded(values, log=True), frame.bottom, frame.y, log=True)
    return Scale(*padded(values, share=0.1), frame.bottom, frame.y)


def _frame(
    x: Scale,
    frame: Box,
    title: str,
    values: Sequence[float],
    y: Scale | None,
    *,
    under: str = "epoch",
) -> list[Markup]:
    scale = y or _losses([(0, value) for value in values], frame)
    title += " (logarithmic)" if scale.log else ""
    axis = [*vertical(scale, frame, write=exact, most=4, title=title)]
    return axis + horizontal(x, frame, write=_epoch, most=6, title=under)


def _epoch(value: float) -> str:
    """Write a tick of the epochs, which are whole."""
    return f"{value:g}" if value == int(value) else ""


def _line(points: Sequence[tuple[int, float]], x: Scale, y: Scale, style: str) -> Markup:
    places = [f"{x(epoch):.1f} {y(value):.1f}" for epoch, value in points]
    curve = tag("path", d="M" + "L".join(places), class_="curve")
    dots = [
        tag("circle", cx=x(epoch), cy=y(value), r=2.2, class_="mark solid")
        for epoch, value in points
    ]
    return tag("g", curve, *dots, class_=style)


def _before(value: float, y: Scale, frame: Box) -> list[Markup]:
    at = y(value)
    line = tag("line", x1=frame.x, x2=frame.right, y1=at, y2=at, class_="chance")
    label = tag("text", "before", x=frame.right, y=at - 4, text_anchor="end", class_="note halo")
    return [line, label]


def _kept(curve: Curve, values: dict[int, float], x: Scale, y: Scale, frame: Box) -> list[Markup]:
    if curve.kept not in values:
        return []
    at, level = x(curve.kept), y(values[curve.kept])
    words = f"kept: {decimal(values[curve.kept])}"
    left = at + text_width(words, 11) + 10 > frame.right
    below = level < frame.y + frame.height / 2
    return [
        tag("g", tag("circle", cx=at, cy=level, r=6.5, class_="ring"), class_="kept"),
        tag(
            "text", words, x=at, y=level + 20 if below else level - 12,
            text_anchor="end" if left else "start", class_="note halo strong",
        ),
    ]  # fmt: skip


def _words(curve: Curve, metric: str) -> str:
    first, last = curve.points[0], curve.points[-1]
    if not curve.kept:
        return (
            f"{curve.epochs} epochs; loss from {significant(first.loss)} to "
            f"{significant(last.loss)}; all were worse than the start, which was kept."
        )
    kept = next((point for point in curve.points if point.epoch == curve.kept), last)
    value = "" if kept.validation is None else f", {metric} {decimal(kept.validation)}"
    return (
        f"{curve.epochs} epochs; loss from {significant(first.loss)} to {significant(last.loss)}; "
        f"epoch {curve.kept} kept{value}."
    )
