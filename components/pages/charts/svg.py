"""SVG as text: elements whose attributes and children are always escaped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

WIDE, NARROW = 1080, 350
"""Widths, in user units, of the two drawings that a page shows on desks and on phones."""
BESIDE = 820
"""The same of a drawing that has something beside it."""
STYLE = Path(__file__).with_name("picture.css")

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_VIEW = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_MARGIN = 14
_NARROW, _WIDE = frozenset("fijlrtI.,:;'|!()[]- /"), frozenset("mwMWGOQ@%")


@dataclass(frozen=True)
class Box:
    """A rectangle in user units; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The largest x inside."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The largest y inside."""
        return self.y + self.height

    def overlap(self, other: Box) -> float:
        """Return the area that both cover."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(0.0, width) * max(0.0, height)

    def inside(self, other: Box) -> bool:
        """Whether ``other`` holds all of this."""
        return (
            self.x >= other.x
            and self.y >= other.y
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """Return one element.

    Args:
        name: The element.
        *children: Texts, which are escaped, and elements, which are not again.
        **attributes: ``class_`` and ``font_size`` become ``class`` and ``font-size``; numbers are
            rounded to hundredths, so that a picture is the same on every machine; None is left out.
    """
    # Joined as plain text, as a page has thousands of them: what comes from elsewhere is escaped.
    written = "".join(
        f' {escape(key.rstrip("_").replace("_", "-"))}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join([escape(readable(child)) for child in children])
    head = f"{escape(name)}{written}"
    return Markup(f"<{head}>{inner}</{name}>" if inner else f"<{head}/>")  # noqa: S704 see above


def readable(text: str) -> str:
    """Replace what no XML document may hold, such as control characters in a name."""
    if isinstance(text, Markup):
        return text
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
    return readable(str(value))


def picture(
    *children: str,
    ident: str,
    size: tuple[float, float],
    title: str,
    description: str,
    scale: float | None = None,
    role: str = "img",
) -> Markup:
    """Return a whole picture that scales with its frame and speaks for itself.

    Args:
        *children: Elements.
        ident: Unique in its page; names the title and the description for screen readers.
        size: Width and height in user units.
        title: What the picture is.
        description: What a person who cannot see it should know: its message, in numbers.
        scale: Pixels for each user unit; None scales with its frame. Then what is around it has the
            class ``picture``, not itself.
        role: ``img``, or ``group`` where it holds links.
    """
    width, height = (None if scale is None else side * scale for side in map(float, size))
    return tag(
        "svg",
        tag("title", title, id=f"{ident}-title"),
        tag("desc", description, id=f"{ident}-desc"),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_value(float(size[0]))} {_value(float(size[1]))}",
        class_="picture" if scale is None else None,
        width=width,
        height=height,
        role=role,
        aria_labelledby=f"{ident}-title {ident}-desc",
    )


def standalone(drawing: str) -> str:
    """Return a picture of its own, with the colours of both themes inside, for a ``.svg`` file."""
    assert drawing.startswith("<svg"), "only a whole picture can stand alone"
    head, _, body = _VIEW.sub(_with_margin, drawing, count=1).partition(">")
    style = Markup(f"<style>{STYLE.read_text()}</style>")  # noqa: S704 our own file
    backdrop = f'<rect class="backdrop" x="-{_MARGIN}" y="-{_MARGIN}" width="100%" height="100%"/>'
    return f"{head}>{style}{backdrop}{body}\n"


def _with_margin(match: re.Match[str]) -> str:
    width, height = (float(side) + 2 * _MARGIN for side in match.groups())
    return (
        f'viewBox="-{_MARGIN} -{_MARGIN} {_value(width)} {_value(height)}" '
        f'width="{_value(width)}" height="{_value(height)}"'
    )


def text_width(text: str, size: float = 12) -> float:
    """Estimate how wide ``text`` is in a sans-serif face of ``size``; rather too wide."""
    ems = sum(0.34 if c in _NARROW else 0.92 if c in _WIDE else 0.62 for c in text)
    return ems * size


def shorten(text: str, width: float, size: float = 12) -> str:
    """Cut ``text`` in the middle until it fits: names differ at their ends."""
    if text_width(text, size) <= width:
        return text
    keep = len(text) - 1
    while keep > 1:
        head = (keep + 1) // 2
        cut = f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (keep - head) :]}"
        if text_width(cut, size) <= width:
            return cut
        keep -= 1
    return "\N{HORIZONTAL ELLIPSIS}"
