"""Labels: names beside their points such that no two cover each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.pages.charts.svg import Box

_NEAR = ((1, 0), (1, -1), (1, 1), (-1, 0), (-1, -1), (-1, 1), (0, -1), (0, 1))
_RINGS = (0, 1, 2, 3, 4)
_STEP = 24
_COVERED = 4  # an area of one square unit counts as so much distance


@dataclass(frozen=True)
class Anchor:
    """A point that wants a label.

    Attributes:
        x: Middle of its mark.
        y: Middle of its mark.
        width: Of the label's text.
        height: Of the label's text.
        clearance: Distance between the middle of the mark and the label.
    """

    x: float
    y: float
    width: float
    height: float = 15
    clearance: float = 10


def place(anchors: Sequence[Anchor], frame: Box, obstacles: Sequence[Box]) -> list[Box | None]:
    """Find a place for every label.

    The most important label comes first and gets the nearest place that is free of other labels;
    among those, the one that covers least of the marks. Only where none is left close to the
    point the whole frame is looked through.

    Args:
        anchors: Points in order of importance.
        frame: What no label may leave.
        obstacles: Marks and whiskers that are better not covered.

    Returns:
        One box a label, or None for a label that finds no room at all.
    """
    placed: list[Box] = []
    boxes: list[Box | None] = []
    for anchor in anchors:
        found = None
        for positions in (_near(anchor), _anywhere(anchor, frame)):
            free = [
                (_covered(box, obstacles) * _COVERED + cost, box)
                for cost, box in positions
                if box.inside(frame) and not any(box.overlap(other) for other in placed)
            ]
            if free:
                _, found = min(free, key=lambda item: item[0])
                placed.append(found)
                break
        boxes.append(found)
    return boxes


def _near(anchor: Anchor) -> Iterator[tuple[float, Box]]:
    """Yield places around the point, the most natural first, with what each costs."""
    cost = 0
    for ring in _RINGS:
        away = anchor.clearance + ring * 9
        for right, down in _NEAR:
            x = anchor.x + right * away - anchor.width * (1 - right) / 2
            y = anchor.y + down * (away + (anchor.height / 2 - 4)) - anchor.height / 2
            yield cost, Box(x, y, anchor.width, anchor.height)
            cost += 2


def _anywhere(anchor: Anchor, frame: Box) -> Iterator[tuple[float, Box]]:
    """Yield places all over the frame, for a crowd; distance is what they cost."""
    for row in range(int((frame.height - anchor.height) // anchor.height) + 1):
        for column in range(int((frame.width - anchor.width) // _STEP) + 1):
            x, y = frame.x + column * _STEP, frame.y + row * anchor.height
            box = Box(x, y, anchor.width, anchor.height)
            yield _distance(box, anchor), box


def _covered(box: Box, obstacles: Sequence[Box]) -> float:
    return sum(box.overlap(other) for other in obstacles)


def _distance(box: Box, anchor: Anchor) -> float:
    return math.hypot(
        max(box.x - anchor.x, 0, anchor.x - box.right),
        max(box.y - anchor.y, 0, anchor.y - box.bottom),
    )


def far(box: Box, anchor: Anchor, beyond: float = 16) -> bool:
    """Whether a label lies so far from its point that a line has to connect them."""
    return _distance(box, anchor) > beyond
