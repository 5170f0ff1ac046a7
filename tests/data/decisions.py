"""Decisions between a few variants, as ``select`` writes them: measured, chosen, not trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from components.artifacts.budgets import Budgets
from components.artifacts.data_use import REPORT
from components.artifacts.decision import (
    BaselineCheck,
    Candidate,
    Decision,
    Goal,
    Machine,
    NearMiss,
    Split,
    Timing,
)
from components.contract.digests import canonical_json
from components.selection.choosing import choose
from components.statistics.bootstrap import Interval
from tests.data.candidates import measured

FACTS = {"arch": "x86_64", "cores": "4", "cpu": "Test CPU", "kernel": "6.1", "runtime": "2.3.0"}
BUDGETS = Budgets("accuracy", drop=0.02, size_mb=0.1, latency_ms=2.0)


def around(value: float, width: float = 0.004) -> Interval:
    """An interval about a value."""
    return Interval(value, value - width, value + width)


def variant(
    name: str, size_bytes: int, accuracy: float, p50_ms: float, **changes: Any
) -> Candidate:
    """A variant that was measured in peace; its drop is against an accuracy of 0.98."""
    drop = 0.98 - accuracy
    timing = Timing(around(p50_ms, p50_ms / 20), None, p50_ms, p50_ms, "stable", "quiet")
    made: dict[str, Any] = {
        "size_bytes": size_bytes, "gzip_bytes": size_bytes // 2, "parameters": size_bytes // 4,
        "metric": around(accuracy), "drop": around(drop), "peak_memory_bytes": 3 * size_bytes,
        "metrics": {"accuracy": around(accuracy), "macro_f1": around(accuracy - 0.01)},
        "latency": {"host": timing}, "sha256": None, **changes,
    }  # fmt: skip
    return measured(name, **made)


def variants() -> list[Candidate]:
    """A teacher, a student that loses little, and one that is small and fast and loses more."""
    teacher = variant("teacher", 900_000, 0.98, 9.0, candidate=False, drop=Interval(0, 0, 0))
    return [teacher, variant("good", 60_000, 0.975, 1.5), variant("small", 9_000, 0.965, 0.4)]


def decision_of(
    found: Sequence[Candidate] | None = None,
    budgets: Budgets = BUDGETS,
    minimize: Goal = "size",
    facts: dict[str, str] | None = None,
) -> Decision:
    """Choose between variants, the first of which is the reference."""
    found = variants() if found is None else found
    choice = choose(found, budgets, reference=found[0].name, minimize=minimize)
    baseline = BaselineCheck(
        "the commonest class", {"accuracy": around(0.1)}, around(0.88), reference_above=True,
        note=f"{found[0].name} is better than the commonest class",
    )  # fmt: skip
    return Decision(
        choice.winner, choice.reason, found[0].name, "classification", budgets, minimize, 0.95,
        2000, choice.candidates, baseline,
        tuple(NearMiss(one.name, one.excess, one.reason) for one in choice.near_misses),
        Split("selection", "images of the test", 200, 10, "image", {"train": 800, "selection": 200}),
        {"host": Machine(facts or FACTS, "ai-edge-litert 2.3.0", 1, 3, 5000)},
    )  # fmt: skip


def select_outputs(decision: Decision) -> dict[tuple[str, str], dict[str, bytes]]:
    """Return what select leaves of a decision, for ``kept_release.Writer``.

    Beside it lies a report of ingest that tells nothing.
    """
    return {
        ("select", "decision"): {Decision.FILE: canonical_json(decision.to_json())},
        ("ingest", "report"): {REPORT: b"{}"},
    }


def renamed(one: Candidate, name: str) -> Candidate:
    """The same variant under another name."""
    return replace(one, name=name)
