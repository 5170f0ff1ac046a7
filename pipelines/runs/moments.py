"""Moments as records write them, and the time zones that people name."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

from components.contract.errors import UserError, suggest


def now() -> str:
    """Return the present as ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def seconds_since(moment: str) -> float:
    """Return how long ago a moment was, as ``now`` writes it; 0 for one that is still to come."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone.

    Raises:
        UserError: There is none of that name.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"there is no time zone {name!r}", suggest(name, zoneinfo.available_timezones())
        ) from None
