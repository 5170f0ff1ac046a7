"""Bars: how many are in which state, which share of something is used or done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from components.pages.charts.svg import tag
from pipelines.web.state_icons import look_of

_ORDER = (
    "done", "cached", "failed", "killed", "cancelled", "running", "waiting", "skipped",
)  # fmt: skip
_WIDE, _HIGH = 400.0, 8.0
_LEAST = 4.0
"""What takes no time is a mark as well."""


def in_order(states: Sequence[str]) -> list[tuple[str, int]]:
    """Return how many of some things are in which state; what is done comes first."""
    counted = Counter(states)
    known = [state for state in _ORDER if state in counted]
    return [(state, counted[state]) for state in (*known, *sorted(set(counted) - set(known)))]


def state_bar(states: Sequence[str]) -> Markup:
    """Draw how many of some things are in which state; what is done lies left."""
    counted = in_order(states)
    parts: list[Markup] = []
    left = 0.0
    for state, count in counted:
        width = count / len(states) * _WIDE
        look = look_of(state)
        parts.append(
            tag(
                "rect",
                tag("title", f"{count} {look.word}"),
                x=left,
                y=0,
                width=max(0.0, width - 1),
                height=_HIGH,
                class_=f"{look.tone} is-{state}",
            )
        )
        left += width
    words = ", ".join(f"{count} {look_of(state).word}" for state, count in counted)
    return _bar(parts, f"{len(states)} steps: {words}")


def gauge(share: float, tone: str, words: str) -> Markup:
    """Draw which share of something is used or done.

    Args:
        share: From 0; beyond 1 the bar is full.
        tone: A class of the style sheet that colours it.
        words: The same for who does not see it.
    """
    width = min(1.0, max(0.0, share)) * _WIDE
    parts = [
        tag("rect", x=0, y=0, width=_WIDE, height=_HIGH, class_="track"),
        tag("rect", x=0, y=0, width=width, height=_HIGH, class_=f"{tone} filled"),
    ]
    return _bar(parts, words)


def span_bar(start: float, end: float, tone: str, words: str) -> Markup:
    """Draw when something was within a longer time.

    Args:
        start: Its begin, as a share of that time.
        end: Its end.
        tone: A class of the style sheet that colours it.
        words: The same for who does not see it.
    """
    left = min(1.0, max(0.0, start)) * (_WIDE - _LEAST)
    width = max(_LEAST, (min(1.0, end) - max(0.0, start)) * _WIDE)
    mark = tag("rect", x=left, y=0, width=width, height=_HIGH, rx=2, class_=f"{tone} filled")
    return _bar([mark], words)


def _bar(parts: Sequence[Markup], words: str) -> Markup:
    return tag(
        "svg",
        *parts,
        class_="share",
        viewBox=f"0 0 {_WIDE:g} {_HIGH:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=words,
    )
