"""Moments as records write them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return the present as ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def seconds_since(moment: str) -> float:
    """Return how long ago a moment was, as ``now`` writes it; 0 for one that is still to come."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
