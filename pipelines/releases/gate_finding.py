"""What the gate finds: whether a challenger may take the champion's place, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from components.statistics.bootstrap import Interval

Verdict = Literal["yes", "no", "cannot decide"]

WORN = 20
"""Comparisons after which the sealed images count as worn: each of them may have been chosen by."""


class CannotDecideError(Exception):
    """The gate has nothing to decide by.

    Args:
        reason: Why, and what would change it: a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class GateFinding:
    """What the gate found.

    Attributes:
        verdict: ``yes``, ``no`` or ``cannot decide``.
        reasons: Why: for ``yes`` what was shown, else everything that speaks against it.
        remarks: What does not decide, and people should know.
        champion: Tree digest of the champion; None where there was none.
        metric: What the drop is of; empty where nothing was compared.
        drop: Loss against the champion, paired, and of several files the one with the worst upper
            end; None where one could not be compared.
        limit: Largest drop that passes.
        images: How many sealed images both were measured on.
        left_out: How many sealed images either model's data shows outside of sealed.
        opened: How many runs and comparisons have looked at these sealed images.
        reports: Tree digests of the evaluations, of ``champion`` and ``challenger``; where devices
            have files of their own, ``champion-DEVICE`` and so on, by the first that takes a file.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    champion: str | None = None
    metric: str = ""
    drop: Interval | None = None
    limit: float | None = None
    images: int | None = None
    left_out: int | None = None
    opened: int | None = None
    reports: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> dict[str, Any]:
        """Return the form in which the log keeps it."""
        return {
            **asdict(self),
            "reasons": list(self.reasons),
            "remarks": list(self.remarks),
            "reports": dict(self.reports),
        }
