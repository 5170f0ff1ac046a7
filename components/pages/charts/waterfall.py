"""The size waterfall: how a path comes from the reference's weights to the bytes of a download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.pages.charts.axes import Scale
from components.pages.charts.svg import NARROW, WIDE, picture, shorten, tag
from components.statistics.quantities import ratio, short_bytes


@dataclass(frozen=True)
class PathStage:
    """One bar.

    Attributes:
        name: What is so long: a step, the file, its download.
        size_bytes: How long it is.
        style: A class of ``picture.css``, which gives the colour.
        zero_bytes: The part of it that is zeros.
    """

    name: str
    size_bytes: int
    style: str
    zero_bytes: int = 0


def waterfall_svg(
    stages: Sequence[PathStage], *, name: str, width: int = NARROW, ident: str
) -> Markup:
    """Draw the stages one below the other, each with how many times smaller it is than the first.

    Args:
        stages: First to last.
        name: Of the variant.
        width: ``WIDE`` or ``NARROW``.
        ident: Unique in the page.
    """
    wide = width >= WIDE
    gutter, row, right = (300.0, 30, 150.0) if wide else (0.0, 44, 132.0)
    largest = max(1, *(stage.size_bytes for stage in stages))
    x = Scale(0, largest, gutter, width - right)
    drawn: list[Markup] = []
    for place, stage in enumerate(stages):
        top = 4 + place * row
        bar_y, height = (top + 6, 16) if wide else (top + 20, 14)
        end = max(x(stage.size_bytes), gutter + 1.5)
        solid = max(x(stage.size_bytes - stage.zero_bytes), gutter + 1.5)
        words = _size(stage, stages[0].size_bytes, first=place == 0)
        name_x, line, anchor = (gutter - 12, bar_y + 13, "end") if wide else (0, top + 14, "start")
        room = gutter - 20 if wide else width
        drawn.append(
            tag(
                "g",
                tag("title", f"{stage.name}: {words}"),
                tag("rect", x=gutter, y=bar_y, width=solid - gutter, height=height, class_="bar"),
                tag("rect", x=solid, y=bar_y, width=end - solid, height=height, class_="area"),
                tag(
                    "text",
                    shorten(stage.name, room),
                    x=name_x,
                    y=line,
                    text_anchor=anchor,
                    class_="name",
                ),
                tag("text", words, x=end + 8, y=bar_y + 12, class_="note"),
                class_=stage.style,
            )
        )
    return picture(
        *drawn,
        ident=ident,
        size=(width, 8 + len(stages) * row),
        title=f"Bytes along the path of {name}",
        description="; ".join(
            f"{stage.name}: {_size(stage, stages[0].size_bytes, first=place == 0)}"
            for place, stage in enumerate(stages)
        ),
    )


def _size(stage: PathStage, whole: int, *, first: bool) -> str:
    size = short_bytes(stage.size_bytes)
    if first or not stage.size_bytes or size == short_bytes(whole):
        return size
    times = whole / stage.size_bytes
    return f"{size}, {ratio(times)} smaller" if times > 1 else f"{size}, {ratio(1 / times)} larger"
