"""Sensitivity: what quantizing each layer alone does to the answers, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.artifacts.history import LayerError
from components.pages.charts.axes import Scale
from components.pages.charts.svg import NARROW, picture, shorten, tag, text_width
from components.statistics.quantities import significant

_ROW = 40
_NUMBER = 64.0


def sensitivity_svg(layers: Sequence[LayerError], *, name: str, ident: str) -> Markup:
    """Draw the error of each layer as a bar; those left in float are hollow.

    Args:
        layers: From top to bottom.
        name: Of the variant.
        ident: Unique in the page.
    """
    largest = max(1e-12, *(one.error for one in layers))
    x = Scale(0, largest, 0, NARROW - _NUMBER)
    drawn: list[Markup] = []
    for place, one in enumerate(layers):
        top = place * _ROW
        end = max(x(one.error), 1.5)
        told = _told(one)
        label = shorten(one.layer, NARROW - text_width(" in float", 11) - 8)
        drawn.append(
            tag(
                "g",
                tag("title", f"{one.layer}: {told}"),
                tag("text", label, x=0, y=top + 14, class_="name"),
                tag("text", "in float", x=NARROW - 2, y=top + 14, text_anchor="end", class_="note")
                if one.in_float
                else "",
                tag(
                    "rect",
                    x=0,
                    y=top + 20,
                    width=end,
                    height=13,
                    class_="area" if one.in_float else "bar",
                ),
                tag("text", significant(one.error), x=end + 7, y=top + 31, class_="note"),
                class_="kept" if one.in_float else "second",
            )
        )
    return picture(
        *drawn,
        ident=ident,
        size=(NARROW, len(layers) * _ROW + 4),
        title=f"Error of each layer of {name} when it alone is quantized",
        description="; ".join(f"{one.layer}: {_told(one)}" for one in layers),
    )


def _told(one: LayerError) -> str:
    return f"{significant(one.error)}{', left in float' if one.in_float else ''}"
