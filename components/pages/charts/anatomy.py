"""Byte anatomy: which part of each file is weights, and which is what comes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.pages.charts.svg import WIDE, picture, shorten, tag, text_width
from components.statistics.quantities import significant, whole_bytes

PARTS = ("weights", "biases", "scales", "zero_points", "names", "metadata", "rest")
"""In the order they are drawn; every byte of a file belongs to one."""


@dataclass(frozen=True)
class FileParts:
    """One file.

    Attributes:
        name: Of the variant.
        size_bytes: Length of the file.
        parts: Bytes by part.
    """

    name: str
    size_bytes: int
    parts: Mapping[str, int]


def anatomy_svg(files: Sequence[FileParts], *, width: int = WIDE, ident: str) -> Markup:
    """Draw every file as a bar of the same width, divided into its parts.

    Args:
        files: From top to bottom.
        width: ``WIDE`` or ``NARROW``.
        ident: Unique in the page.
    """
    wide = width >= WIDE
    gutter, row, right = (200.0, 28, 110.0) if wide else (0.0, 42, 2.0)
    drawn, top = _key(width)
    for one in files:
        bar_y, height = (top + 5, 16) if wide else (top + 20, 14)
        words = whole_bytes(one.size_bytes)
        drawn += _bar(one, gutter, bar_y, width - gutter - right, height)
        if wide:
            drawn += [
                tag("text", shorten(one.name, gutter - 20), x=gutter - 12, y=bar_y + 13,
                    text_anchor="end", class_="name"),
                tag("text", words, x=width - right + 8, y=bar_y + 13, class_="note"),
            ]  # fmt: skip
        else:
            room = width - text_width(words, 11) - 14
            drawn += [
                tag("text", shorten(one.name, room), x=0, y=top + 14, class_="name"),
                tag("text", words, x=width - right, y=top + 14, text_anchor="end", class_="note"),
            ]
        top += row
    return picture(
        *drawn,
        ident=ident,
        size=(width, top + 6),
        title=f"What the bytes of {len(files)} files are there for",
        description="; ".join(f"{one.name}: {_words(one)}" for one in files),
    )


def _key(width: int) -> tuple[list[Markup], float]:
    """Return the key of the colours, in as many lines as it needs, and where it ends."""
    drawn: list[Markup] = []
    x, y = 0.0, 12.0
    for part in PARTS:
        text = part.replace("_", " ")
        needed = 16 + text_width(text, 11) + 16
        if x + needed > width:
            x, y = 0.0, y + 18
        drawn += [
            tag("rect", x=x, y=y - 9, width=11, height=11, rx=2, class_=f"part {part}"),
            tag("text", text, x=x + 16, y=y, class_="note"),
        ]
        x += needed
    return drawn, y + 12


def _bar(one: FileParts, x: float, y: float, width: float, height: float) -> list[Markup]:
    drawn: list[Markup] = []
    for part in PARTS:
        share = one.parts.get(part, 0) / max(one.size_bytes, 1)
        if share:
            hint = tag("title", f"{one.name}: {part.replace('_', ' ')} {_part(one, part)}")
            drawn.append(
                tag("rect", hint, x=x, y=y, width=share * width, height=height,
                    class_=f"part {part}")
            )  # fmt: skip
            x += share * width
    return drawn


def _part(one: FileParts, part: str) -> str:
    count = one.parts.get(part, 0)
    return f"{count:,} bytes ({significant(100 * count / max(one.size_bytes, 1), 2)} %)"


def _words(one: FileParts) -> str:
    shown = [part for part in PARTS if one.parts.get(part)]
    return ", ".join(f"{part.replace('_', ' ')} {_part(one, part)}" for part in shown)
