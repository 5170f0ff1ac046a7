"""How far runs are and what their steps do, as a terminal prints it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from components.contract.digests import canonical_json
from components.contract.progress import parsed
from pipelines.cli.sheet import Column, Sheet
from pipelines.cli.visible import line
from pipelines.runs.live.progress_text import progress_text
from pipelines.runs.records import RunRecord


def runs(records: Sequence[RunRecord]) -> Sheet:
    """Return the list of runs, newest last."""
    headers = ("run", "outcome", "started", "engine", "steps", "cached", "took")
    sheet = Sheet([Column(header) for header in headers])
    for record in records:
        cached = sum(step.get("state") == "cached" for step in record.steps.values())
        sheet.add(
            record.run,
            _outcome(record),
            record.started[:19].replace("T", " "),
            record.engine,
            _steps(record),
            str(cached),
            f"{record.wall_s:.1f} s" if record.finished else "-",
        )
    return sheet


def _outcome(record: RunRecord) -> str:
    killed = any(step["state"] == "killed" for step in record.steps.values())
    return f"{record.outcome} (killed)" if killed else record.outcome


def asked_by(actor: object, reason: object) -> str:
    """Return who asked for the end of a run, and why, in words that follow others."""
    return f", as {actor} asked" + (f": {reason}" if reason else "")


def _steps(record: RunRecord) -> str:
    """Say how many steps a run has, and how many of them have a result where not all do."""
    there = sum(step["state"] in ("done", "cached") for step in record.steps.values())
    count = len(record.steps)
    return str(count) if there == count else f"{there} of {count}"


def going_on(record: RunRecord) -> Iterator[RenderableType]:
    """Say what the steps of a run do that goes on, or did when it was killed."""
    states = Counter(step["state"] for step in record.steps.values())
    for name, step in record.steps.items():
        if step["state"] == "running":
            yield line(f"running: {name}{_told(step)}", "cyan")
        elif step["state"] == "killed":
            yield line(f"killed: {name}{_told(step)}", "red")
        elif step["state"] == "waiting" and step.get("waits_for"):
            yield line(f"waiting: {name} for {step['waits_for']}", "dim")
    yield line(", ".join(f"{count} {state}" for state, count in sorted(states.items())))


def _told(step: Mapping[str, Any]) -> str:
    try:
        progress = parsed(canonical_json(step.get("progress")))
    except (ValueError, TypeError):
        return ""
    return f", {progress_text(progress)}" if progress else ""
