"""What came of a run: the winner against its budgets, the release, the data it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.statistics.quantities import MEGABYTE, decimal, short_bytes, short_time
from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.records import RunRecord

_CHOSEN = """
SELECT decision.artifact, decision.winner, decision.bytes
FROM run JOIN choice ON choice.run = run.id JOIN decision ON decision.artifact = choice.artifact
WHERE run.run = ? AND decision.state = 'read'
"""
_METRICS = "SELECT device, name, value, high FROM metric WHERE decision = ? AND variant = ?"


@dataclass(frozen=True)
class BudgetUse:
    """How much of a budget the winner takes.

    Attributes:
        what: Which budget.
        value: What the winner has, as text.
        limit: The budget, as text.
        share: Which share of it, from 0; a budget of nothing is all used.
    """

    what: str
    value: str
    limit: str
    share: float


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
        decided: Whether it came to a choice.
        winner: The variant that was chosen; None where none keeps the budgets.
        bytes: Its size, or None.
        uses: What it takes of the budgets.
        releases: Name and standing of what the run published.
    """

    decided: bool
    winner: str | None = None
    bytes: int | None = None
    uses: Sequence[BudgetUse] = ()
    releases: Sequence[tuple[str, str]] = ()


def result_of(index: OpenIndex, record: RunRecord) -> RunResult:
    """Return what came of a run."""
    releases = [
        (str(name), str(state or "candidate"))
        for name, state in index.execute(
            "SELECT name, state FROM release WHERE run = ?", (record.run,)
        )
    ]
    chosen = index.one(_CHOSEN, (record.run,))
    if chosen is None:
        return RunResult(decided=False, releases=releases)
    decision, winner, size = chosen
    measured = list(index.execute(_METRICS, (decision, winner))) if winner else []
    uses = list(_uses(record.budgets, size, measured)) if winner else []
    return RunResult(decided=True, winner=winner, bytes=size, uses=uses, releases=releases)


def _uses(
    budgets: Mapping[str, Any], size: int | None, measured: Sequence[tuple[Any, ...]]
) -> Sequence[BudgetUse]:
    uses: list[BudgetUse] = []
    size_mb, drop = (_limit(budgets.get(key)) for key in ("size_mb", "drop"))
    own: Mapping[str, Mapping[str, Any]] = budgets.get("devices") or {}
    if size_mb is not None and size is not None:
        limit = round(size_mb * MEGABYTE)
        uses.append(BudgetUse("size", short_bytes(size), short_bytes(limit), _share(size, limit)))
    for device, name, value, high in measured:
        latency_ms = _limit(own.get(device, {}).get("latency_ms", budgets.get("latency_ms")))
        if name == "p50_ms" and latency_ms is not None and value is not None:
            told = f"latency, {device}"
            uses.append(
                BudgetUse(
                    told, short_time(value), short_time(latency_ms), _share(value, latency_ms)
                )
            )
        if name == "drop" and drop is not None and high is not None:
            uses.append(
                BudgetUse(
                    f"drop of {budgets.get('metric')}, at most", decimal(high, 3), f"{drop:g}",
                    _share(high, drop),
                )
            )  # fmt: skip
    return uses


def _limit(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _share(value: float, limit: float) -> float:
    return value / limit if limit > 0 else 1.0
