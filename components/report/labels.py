"""Labels: names beside their points such that no two cover each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.report.svg import Box

_NEAR = ((1, 0), (1, -1), (1, 1), (-1, 0), (-1, -1), (-1, 1), (0, -1), (0, 1))
_RINGS = (0, 1, 2, 3, 4)


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
    among those, the one that covers least of the marks. Positions close to the point are tried
    before a scan of the whole frame.

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
        best = min(
            (
                (_cost(box, anchor, obstacles), index, box)
                for index, box in enumerate(_positions(anchor, frame))
                if box.inside(frame) and not any(box.overlap(other) for other in placed)
            ),
            default=None,
            key=lambda item: item[:2],
        )
        boxes.append(best[2] if best else None)
        if best:
            placed.append(best[2])
    return boxes


def _positions(anchor: Anchor, frame: Box) -> Iterator[Box]:
    for ring in _RINGS:
        away = anchor.clearance + ring * 9
        for right, down in _NEAR:
            x = anchor.x + right * away - anchor.width * (1 - right) / 2
            y = anchor.y + down * (away + (anchor.height / 2 - 4)) - anchor.height / 2
            yield Box(x, y, anchor.width, anchor.height)
    rows = int(max(0, frame.height - anchor.height) // anchor.height)
    columns = int(max(0, frame.width - anchor.width) // 24)
    for row in range(rows + 1):
        for column in range(columns + 1):
            x, y = frame.x + column * 24, frame.y + row * anchor.height
            yield Box(x, y, anchor.width, anchor.height)


def _cost(box: Box, anchor: Anchor, obstacles: Sequence[Box]) -> float:
    """Covered area first, distance second."""
    dx = max(box.x - anchor.x, 0, anchor.x - box.right)
    dy = max(box.y - anchor.y, 0, anchor.y - box.bottom)
    return sum(box.overlap(other) for other in obstacles) * 4 + (dx * dx + dy * dy) ** 0.5


def far(box: Box, anchor: Anchor, beyond: float = 16) -> bool:
    """Whether a label lies so far from its point that a line has to connect them."""
    dx = max(box.x - anchor.x, 0, anchor.x - box.right)
    dy = max(box.y - anchor.y, 0, anchor.y - box.bottom)
    return (dx * dx + dy * dy) ** 0.5 > beyond
