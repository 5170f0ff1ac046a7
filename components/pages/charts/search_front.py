"""The front of a search: predicted size against the metric of every architecture."""

from __future__ import annotations

from itertools import pairwise

from markupsafe import Markup

from components.artifacts.search_front import Architecture, SearchFront
from components.pages.charts.axes import Scale, exact, horizontal, padded, vertical
from components.pages.charts.svg import WIDE, Box, picture, tag
from components.statistics.quantities import decimal, short_bytes, significant

_MARK = 5.0


def front_svg(found: SearchFront, *, metric: str, width: int, ident: str) -> Markup:
    """Draw predicted sizes against the metric of the longest training of each.

    Args:
        found: What a search found.
        metric: Title of the axis that runs upwards.
        width: ``WIDE`` or ``NARROW``.
        ident: Unique in the page.
    """
    height = round(width * 0.42) if width >= WIDE else round(width * 0.95)
    frame = Box(46, 34, width - 46 - 14, height - 34 - 44)
    limits = [float(found.size_bytes)] if found.size_bytes else []
    sizes = [one.size_bytes for one in found.architectures]
    x = Scale(*padded(sizes + limits, log=True, share=0.08), frame.x, frame.right, log=True)
    levels = [one.metric for one in found.architectures if not one.trainings[-1].fault]
    floor = [] if found.teacher is None else [found.teacher - found.drop]
    y = Scale(*padded((levels or [0.0]) + floor, share=0.08), frame.bottom, frame.y)
    return picture(
        *vertical(y, frame, write=exact, most=6, title=metric),
        *horizontal(
            x, frame, write=short_bytes, most=6 if width >= WIDE else 4,
            title="predicted size of the int8 file (logarithmic)",
        ),
        *_limits(found, x, y, frame),
        _staircase(found, x, y),
        *[
            _mark(one, found, x, y)
            for one in found.architectures
            if not one.trainings[-1].fault
        ],
        ident=ident,
        size=(width, height),
        title=f"{metric} against predicted size of {len(found.architectures)} architectures",
        description=_words(found),
    )  # fmt: skip


def _limits(found: SearchFront, x: Scale, y: Scale, frame: Box) -> list[Markup]:
    drawn: list[Markup] = []
    if found.size_bytes:
        at = x(found.size_bytes)
        drawn.append(tag("line", x1=at, x2=at, y1=frame.y - 6, y2=frame.bottom, class_="budget"))
    if found.teacher is not None:
        at = y(found.teacher - found.drop)
        drawn.append(tag("line", x1=frame.x, x2=frame.right, y1=at, y2=at, class_="budget"))
        note = f"allowed drop: {significant(found.teacher - found.drop, 4)}"
        drawn.append(tag("text", note, x=frame.x + 6, y=at + 14, class_="budget-note halo"))
    return drawn


def _staircase(found: SearchFront, x: Scale, y: Scale) -> Markup:
    """Join, from small to large, those of the front that get better with size."""
    corners: list[Architecture] = []
    for one in found.front:
        if not corners or one.metric > corners[-1].metric:
            corners.append(one)
    if len(corners) < 2:
        return Markup()
    path = f"M{x(corners[0].size_bytes):.1f} {y(corners[0].metric):.1f}"
    for _, after in pairwise(corners):
        path += f"H{x(after.size_bytes):.1f}V{y(after.metric):.1f}"
    return tag("path", d=path, class_="front")


def _mark(one: Architecture, found: SearchFront, x: Scale, y: Scale) -> Markup:
    at, level = x(one.size_bytes), y(one.metric)
    drawn = [tag("title", f"{one.name}: {_said(one)}")]
    if one.name == found.chosen:
        drawn.append(tag("circle", cx=at, cy=level, r=_MARK + 5, class_="ring"))
    solid = " solid" if one.on_front else ""
    drawn.append(tag("circle", cx=at, cy=level, r=_MARK, class_=f"mark{solid}"))
    return tag("g", *drawn, class_="winner" if one.name == found.chosen else "kept")


def _said(one: Architecture) -> str:
    front = ", on the front" if one.on_front else ""
    trained = one.trainings[-1]
    size = short_bytes(round(one.size_bytes))
    if trained.fault:
        return f"{size}, not drawn: {trained.fault}"
    return f"{size}, {decimal(one.metric)} after {trained.steps} steps{front}"


def _words(found: SearchFront) -> str:
    listed = "; ".join(f"{one.name}: {_said(one)}" for one in found.architectures)
    return f"Predicted size and metric. {listed}."
