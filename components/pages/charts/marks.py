"""Marks of variants: their shape tells verdicts apart where colour cannot."""

from __future__ import annotations

from markupsafe import Markup

from components.artifacts.decision import Verdict
from components.pages.charts.svg import tag

MARK = 5.5
"""Half the size of one."""


def shape(at: float, level: float, verdict: Verdict, *, solid: bool) -> Markup:
    """Draw a mark; of the Pareto front it is filled."""
    kind = "mark solid" if solid else "mark"
    if verdict == "reference":
        side = MARK * 1.8
        return tag(
            "rect", x=at - side / 2, y=level - side / 2, width=side, height=side, rx=1.5,
            class_=kind,
        )  # fmt: skip
    if verdict == "comparison":
        r = MARK + 1.5
        corners = f"M{at:.1f} {level - r:.1f}l{r} {1.8 * r:.1f}h-{2 * r}z"
        return tag("path", d=corners, class_=kind)
    if verdict == "undecided":
        r = MARK + 1.5
        return tag("path", d=f"M{at:.1f} {level - r:.1f}l{r} {r}l-{r} {r}l-{r} -{r}z", class_=kind)
    return tag("circle", cx=at, cy=level, r=MARK, class_=kind)


def mark_svg(verdict: Verdict) -> Markup:
    """Return the mark of a verdict by itself, for a key below the picture."""
    return tag(
        "svg", tag("g", shape(8, 8, verdict, solid=True), class_=verdict),
        viewBox="0 0 16 16", class_="picture",
    )  # fmt: skip
