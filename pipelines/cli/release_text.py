"""Releases as a terminal shows them: how it stands with each, the log, what the gate found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.cli.sheet import Column, Sheet
from pipelines.releases.gate_finding import GateFinding
from pipelines.releases.promoting import Promoted
from pipelines.releases.states import ReleaseState
from pipelines.runs.releases.release_log_entries import LogEntry

_STYLES = {"champion": "bold green", "candidate": "cyan", "rolled back": "red", "damaged": "red"}
_SHOWN = 8  # hexadecimal digits


def releases(states: Sequence[ReleaseState]) -> Sheet:
    """Return the list of releases, one a row."""
    sheet = Sheet(
        [
            Column("release"), Column("state"), Column("run"), Column("variant"),
            Column("bytes", right=True), Column("champion since"),
        ]
    )  # fmt: skip
    for state in states:
        sheet.add(
            f"{state.name} {state.release[:_SHOWN]}",
            state.state,
            state.run,
            state.variant or "-",
            "-" if state.size_bytes is None else f"{state.size_bytes:,}",
            _at(state.promoted_at) if state.promoted_at else "-",
            style=_STYLES.get(state.state, ""),
        )
    return sheet


def log(entries: Sequence[LogEntry]) -> Sheet:
    """Return the entries of a log, newest last."""
    sheet = Sheet(
        [
            Column("entry", right=True), Column("at"), Column("what"), Column("release"),
            Column("by"), Column("trained by"), Column("gate"), Column("reason", wraps=True),
        ]
    )  # fmt: skip
    for entry in entries:
        sheet.add(
            str(entry.seq),
            _at(entry.at),
            f"{entry.kind}{' (forced)' if entry.forced else ''}",
            entry.release[:_SHOWN],
            entry.actor,
            entry.trained_by or "-",
            _verdict(entry.gate),
            entry.reason,
        )
    return sheet


def found(finding: GateFinding) -> Iterator[str]:
    """Say what the gate found, one sentence a line."""
    yield f"gate: {finding.verdict}"
    for reason in finding.reasons:
        yield f"  {reason}"
    if finding.images is not None:
        left_out = finding.left_out or 0
        yield f"  judged by {finding.images:,} sealed images; {left_out:,} were seen and left out"
    if finding.opened is not None:
        yield f"  {finding.opened} runs and comparisons have looked at these sealed images"
    for remark in finding.remarks:
        yield f"  note: {remark}"


def promoted(done: Promoted) -> Iterator[str]:
    """Say what came of a wish to change the champion."""
    if done.finding:
        yield from found(done.finding)
    match done.outcome:
        case "refused":
            yield f"not promoted: {done.published}"
        case "unchanged":
            yield f"unchanged: {done.published} is the champion already"
        case outcome:
            assert done.entry
            yield f"{outcome}: {done.published} is the champion, entry {done.entry.seq} of the log"
    if done.signed_by:
        yield f"signed with the key {done.signed_by[:16]}"


def _verdict(gate: Mapping[str, Any] | None) -> str:
    return str(gate.get("verdict", "-")) if gate else "-"


def _at(moment: str) -> str:
    return moment[:19].replace("T", " ")
