"""What a classifier takes for what: the confusion matrix, or its worst pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.pages.charts.roc import WIDTH
from components.pages.charts.svg import picture, shorten, tag
from components.statistics.quantities import decimal

_GUTTER = 104.0
_LEAST_FOR_TEXT = 16.0
"""Cells narrower than this have no room for a number."""


@dataclass(frozen=True)
class Confused:
    """Images of one class that are taken for another.

    Attributes:
        true: What they show.
        predicted: What they are taken for.
        images: How many.
        of: Images of the true class in all.
    """

    true: str
    predicted: str
    images: int
    of: int


def confusion_svg(
    classes: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    name: str,
    ident: str = "confusion",
) -> Markup:
    """Draw a confusion matrix: the darker a cell, the larger its part of the row.

    Args:
        classes: Names, at most 50.
        counts: Rows are true classes, columns predicted ones.
        name: Of the model.
        ident: Unique in the page.
    """
    side = (WIDTH - _GUTTER) / len(classes)
    top, size = 8.0, min(12.0, max(5.0, side * 0.8))
    drawn: list[Markup] = []
    for row, (label, line) in enumerate(zip(classes, counts, strict=True)):
        y, total = top + row * side, max(sum(line), 1)
        drawn.append(
            tag(
                "text", shorten(label, _GUTTER - 8, size), x=_GUTTER - 6, y=y + side / 2 + size / 3,
                text_anchor="end", font_size=size,
            )
        )  # fmt: skip
        for column, count in enumerate(line):
            if count:
                x = _GUTTER + column * side
                hint = f"{label} taken for {classes[column]}: {count:,} of {total:,}"
                drawn.append(_cell(x, y, side, count, count / total, row == column, hint))
    bottom = top + side * len(classes)
    drawn.append(
        tag("rect", x=_GUTTER, y=top, width=bottom - top, height=bottom - top, class_="axis")
    )
    for column, label in enumerate(classes):
        x = _GUTTER + (column + 0.5) * side + size / 3
        drawn.append(
            tag(
                "text", shorten(label, _GUTTER - 8, size), x=x, y=bottom + 6, text_anchor="end",
                font_size=size, transform=f"rotate(-90 {x:.2f} {bottom + 6:.2f})",
            )
        )  # fmt: skip
    return picture(
        *drawn, ident=ident, size=(WIDTH, bottom + _GUTTER), title=f"Confusion matrix of {name}",
        description=_in_words(_worst(classes, counts)),
    )  # fmt: skip


def _cell(
    x: float, y: float, side: float, count: int, share: float, right: bool, hint: str
) -> Markup:
    drawn = [
        tag(
            "rect", tag("title", hint), x=x, y=y, width=side, height=side, class_="bar",
            fill_opacity=0.08 + 0.47 * share,
        )
    ]  # fmt: skip
    text = f"{count}"
    if side >= _LEAST_FOR_TEXT and len(text) * 7 < side:
        drawn.append(
            tag(
                "text",
                text,
                x=x + side / 2,
                y=y + side / 2 + 4,
                text_anchor="middle",
            )
        )
    return tag("g", *drawn, class_="kept" if right else "failed")


def _worst(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Confused]:
    pairs = [
        Confused(classes[row], classes[column], count, sum(line))
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if row != column and count
    ]
    return sorted(pairs, key=lambda pair: -pair.images)[:10]


def confusions_svg(pairs: Sequence[Confused], *, name: str, ident: str = "confusion") -> Markup:
    """Draw pairs of classes that are confused, as bars of the part of the true class.

    Args:
        pairs: The worst first.
        name: Of the model.
        ident: Unique in the page.
    """
    height, start = 36.0, 4.0
    drawn: list[Markup] = []
    for row, pair in enumerate(pairs):
        y, share = 8 + row * height, pair.images / max(pair.of, 1)
        half = (WIDTH - 150) / 2
        text = f"{shorten(pair.true, half)} taken for {shorten(pair.predicted, half)}"
        end = start + share * (WIDTH - 140)
        drawn += [
            tag("text", tag("title", _in_words([pair])), text, x=start, y=y + 10),
            tag("rect", x=start, y=y + 16, width=max(end - start, 1.0), height=8, class_="bar"),
            tag("text", f"{pair.images:,} of {pair.of:,}", x=end + 8, y=y + 24, class_="note"),
        ]
    return picture(
        tag("g", *drawn, class_="failed"), ident=ident, size=(WIDTH, 16 + len(pairs) * height),
        title=f"Worst confusions of {name}", description=_in_words(pairs),
    )  # fmt: skip


def _in_words(pairs: Sequence[Confused]) -> str:
    if not pairs:
        return "No image is taken for another class."
    return "; ".join(
        f"{pair.true} taken for {pair.predicted}: {pair.images:,} of {pair.of:,} images "
        f"({decimal(pair.images / max(pair.of, 1))})"
        for pair in pairs
    )
