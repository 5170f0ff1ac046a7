"""The recall picture: which classes a smaller classifier loses."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.pages.charts.axes import Scale, exact, horizontal
from components.pages.charts.roc import WIDTH
from components.pages.charts.svg import Box, picture, shorten, tag
from components.statistics.quantities import decimal


def recall_svg(
    classes: Sequence[str],
    reference: Sequence[float],
    winner: Sequence[float],
    *,
    names: tuple[str, str],
    ident: str = "recall",
) -> Markup:
    """Draw, class by class, which part was found before and after.

    Args:
        classes: Names.
        reference: Recall of the reference, 0 to 1, one a class.
        winner: Recall of the winner.
        names: Of the two models, the reference first.
        ident: Unique in the page.
    """
    row, gutter = 24.0, 128.0
    frame = Box(gutter, 34, WIDTH - gutter - 16, len(classes) * row)
    x = Scale(*_shares_ends([*reference, *winner]), frame.x, frame.right)
    drawn = horizontal(x, frame, write=exact, most=5, title="recall")
    for index, (label, before, after) in enumerate(zip(classes, reference, winner, strict=True)):
        y = frame.y + (index + 0.5) * row
        hint = f"{label}: {names[0]} {decimal(before)}, {names[1]} {decimal(after)}"
        drawn += [
            tag("text", shorten(label, gutter - 14), x=gutter - 12, y=y + 4, text_anchor="end"),
            tag("line", x1=x(before), x2=x(after), y1=y, y2=y, class_="leader"),
            tag("g", tag("circle", cx=x(before), cy=y, r=4.5, class_="mark"), class_="reference"),
            tag(
                "g",
                tag("circle", tag("title", hint), cx=x(after), cy=y, r=4.5, class_="mark solid"),
                class_="winner",
            ),
        ]  # fmt: skip
    drawn += [
        tag("g", tag("circle", cx=gutter + 4, cy=14, r=4.5, class_="mark"), class_="reference"),
        tag("text", shorten(names[0], 110), x=gutter + 14, y=18),
        tag(
            "g", tag("circle", cx=gutter + 144, cy=14, r=4.5, class_="mark solid"), class_="winner"
        ),
        tag("text", shorten(names[1], 130), x=gutter + 154, y=18, class_="strong"),
    ]
    listed = "; ".join(
        f"{label}: {decimal(before)} and {decimal(after)}"
        for label, before, after in zip(classes, reference, winner, strict=True)
    )
    return picture(
        *drawn, ident=ident, size=(WIDTH, frame.bottom + 44),
        title=f"Recall by class of {names[0]} and {names[1]}", description=listed,
    )  # fmt: skip


def _shares_ends(values: Sequence[float]) -> tuple[float, float]:
    low = min(values)
    return max(0.0, low - max(0.02, (1 - low) * 0.1)), 1.0
