"""States of runs and steps, told by a shape and a word as well as by a colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

from components.pages.charts.svg import tag


@dataclass(frozen=True)
class StateLook:
    """How a state is shown.

    Attributes:
        tone: The class of the style sheet that colours it.
        word: What it is called.
        shape: Its icon in a square of 16, without its colour.
    """

    tone: str
    word: str
    shape: tuple[Markup, ...]


def _disc() -> Markup:
    return tag("circle", class_="s-full", cx=8, cy=8, r=7)


def _ring(kind: str = "s-line") -> Markup:
    return tag("circle", class_=kind, cx=8, cy=8, r=6.2)


def _path(kind: str, d: str) -> Markup:
    return tag("path", class_=kind, d=d)


_BROKEN = (
    _path("s-line", "M8 1.8a6.2 6.2 0 0 0-4.4 10.6M8 14.2a6.2 6.2 0 0 0 4.4-10.6M8 4.8v3.7"),
    tag("circle", class_="s-full", cx=8, cy=11, r=0.9),
)

STATES = {
    "done": StateLook("winner", "done", (_disc(), _path("s-cut", "M4.8 8.3l2.2 2.2 4.3-4.8"))),
    "cached": StateLook("kept", "cached", (_ring(), _path("s-line", "M5 8.2l2.1 2.1 3.9-4.3"))),
    "running": StateLook(
        "undecided", "running", (_ring(), _path("s-full s-turn", "M8 1.8a6.2 6.2 0 0 1 0 12.4z"))
    ),
    "waiting": StateLook("over-budget", "waiting", (_ring("s-line s-dotted"),)),
    "failed": StateLook(
        "failed", "failed", (_disc(), _path("s-cut", "M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2"))
    ),
    "cancelled": StateLook(
        "over-budget", "cancelled", (_ring(), _path("s-line", "M4.2 11.8l7.6-7.6"))
    ),
    "skipped": StateLook("over-budget", "skipped", (_ring(), _path("s-line", "M5 8h6"))),
    "killed": StateLook("failed", "killed", _BROKEN),
    "broken": StateLook("failed", "broken off", _BROKEN),
}
"""By name the states of runs and of steps."""

WORST_FIRST = (
    "failed", "broken", "killed", "running", "cancelled", "waiting", "skipped", "done", "cached",
)  # fmt: skip
"""Of several states the first of these tells most."""


def look_of(state: str) -> StateLook:
    """Return how a state is shown; of one that is not known by its own name."""
    return STATES.get(state) or StateLook("over-budget", state, (_ring("s-line s-dotted"),))


def state_icon(state: str) -> Markup:
    """Return the icon of a state, whose word stands beside it; ``state_shapes`` has its shape."""
    look = look_of(state)
    shape = f"#is-{state}" if state in STATES else "#is-other"
    use = tag("use", href=shape)
    return tag("svg", use, class_=f"icon {look.tone} is-{state}", aria_hidden="true")


@cache
def state_shapes() -> Markup:
    """Return the shapes of all states, which a page holds once."""
    named = [*STATES.items(), ("other", look_of("other"))]
    shapes = [
        tag("symbol", *look.shape, id=f"is-{state}", viewBox="0 0 16 16") for state, look in named
    ]
    return tag("svg", *shapes, class_="shapes", width=0, height=0, aria_hidden="true")
