"""Agreement: whether medians of the same thing lie too far apart to be those of anything."""

from __future__ import annotations

from collections.abc import Sequence

MOST_APART, LEAST_APART_MS = 0.1, 0.01
"""Medians further apart than both, as a part of the smaller one and in milliseconds, differ."""


def apart(medians_ms: Sequence[float]) -> float:
    """Return by which part of the smallest the largest is larger."""
    return max(medians_ms) / max(min(medians_ms), 1e-9) - 1


def differ(medians_ms: Sequence[float]) -> bool:
    """Whether they lie further apart than chance leaves them."""
    far = max(medians_ms) - min(medians_ms) > LEAST_APART_MS
    return far and apart(medians_ms) > MOST_APART
