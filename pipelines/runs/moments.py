"""Moments as records write them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return the present as ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
