"""What has to be said first of a run: what failed and what to do, what a kill has cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.runs.live.cancelling import read_cancellation
from pipelines.runs.live.log_ranges import open_logs
from pipelines.runs.records import RunRecord
from pipelines.stores.store import Store
from pipelines.web.pages.runs.log_text import shown
from pipelines.web.pages.runs.run_facts import RunStep, ShownRun
from pipelines.web.templating import duration, first_capital, segment

_SEEN = re.compile(r", last seen at (\S+)$")
_TAIL_BYTES, _TAIL_LINES = 8192, 12
_MOST = 3
"""So many failed steps are told of at length."""


@dataclass(frozen=True)
class RunBanner:
    """Something that has to be said first.

    Attributes:
        tone: A class of the style sheet that colours it.
        eyebrow: What kind of thing it is.
        what: What happened.
        lines: More of it, in sentences.
        fix: What can be done.
        tail: The end of a log that tells more.
        link: Where all of it is told.
        seen: When its process was last seen, ISO 8601; empty where that says nothing.
        ends: Whether it says that somebody has asked for the end of the run.
    """

    tone: str
    eyebrow: str
    what: str
    lines: Sequence[str] = ()
    fix: str = ""
    tail: str = ""
    link: str = ""
    seen: str = ""
    ends: bool = False


def banners_of(store: Store, facts: ShownRun) -> list[RunBanner]:
    """Return what has to be said first of a run, the most urgent first; often nothing."""
    found = list(_failures(store, facts))
    match facts.record.outcome:
        case "broken":
            found.append(_broken(store, facts))
        case "cancelled":
            found.append(_cancelled(facts))
        case "running" if asked := read_cancellation(store, facts.record.run):
            reason = f": {asked.reason}" if asked.reason else ""
            found.append(
                RunBanner(
                    tone="over-budget",
                    eyebrow="Ending",
                    what=f"{asked.actor} asked for its end{reason}",
                    lines=["Whoever carries it out looks for that every two seconds."],
                    ends=True,
                )
            )
        case _:
            pass
    return found


def _failures(store: Store, facts: ShownRun) -> Iterator[RunBanner]:
    failed = facts.in_state("failed")
    for step in failed[:_MOST]:
        first, *more = step.what.splitlines() or ["it ended without a word"]
        yield RunBanner(
            tone="failed",
            eyebrow=f"{step.name} failed",
            what=first,
            lines=more[:5],
            fix=step.fix,
            tail=log_tail(store, facts.record, step.name),
            link=step_address(facts.record, step),
        )
    if len(failed) > _MOST:
        names = ", ".join(step.name for step in failed[_MOST:])
        yield RunBanner("failed", "Failed, too", names)


def _broken(store: Store, facts: ShownRun) -> RunBanner:
    record = facts.record
    cut = facts.in_state("killed")
    seen = _SEEN.search(record.fault or "")
    return RunBanner(
        tone="failed",
        eyebrow="Broken off",
        what=first_capital(_SEEN.sub("", record.fault or "nobody knows why it ended")),
        seen=seen[1] if seen else "",
        lines=[*_lost(facts), _kept(facts)],
        fix=(
            "run it again: what has a result is taken from the store, and it goes on from there. "
            "If it is killed again, look how much memory is free, and lower what steps may take in "
            "the configuration"
        ),
        tail=log_tail(store, record, cut[0].name) if cut else "",
        link=step_address(record, cut[0]) if cut else "",
    )


def _cancelled(facts: ShownRun) -> RunBanner:
    asked = facts.record.cancelled
    reason = f": {asked['reason']}" if asked and asked.get("reason") else ""
    what = f"Ended by {asked['actor']}{reason}" if asked else "It was ended by hand"
    return RunBanner(
        "over-budget", "Cancelled", what, [*_lost(facts), _kept(facts)],
        "run it again to go on from there",
    )  # fmt: skip


def _lost(facts: ShownRun) -> Iterator[str]:
    """Say what work is gone."""
    for step in facts.in_state("killed", "cancelled"):
        far = f" ({step.told})" if step.told else ""
        took = f"{duration(step.took_s)} of " if step.took_s else ""
        yield f"Lost: {took}{step.name}{far}."
    if skipped := facts.in_state("skipped", "waiting"):
        yield f"{_counted(len(skipped))} never began."


def _kept(facts: ShownRun) -> str:
    kept = len(facts.in_state("done", "cached"))
    if not kept:
        return "No step had a result yet."
    return f"Kept: the results of {_counted(kept)}, which the next run takes from the store."


def _counted(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def log_tail(store: Store, record: RunRecord, step: str) -> str:
    """Return the last lines of the log of a step; empty where there is none."""
    logs = open_logs(store, record, step)
    if not logs:
        return ""
    log = logs[-1]
    start = max(0, log.size - _TAIL_BYTES)
    lines = shown(log.read(start, log.size)).rstrip().splitlines()
    return "\n".join((lines[1:] if start else lines)[-_TAIL_LINES:])


def step_address(record: RunRecord, step: RunStep) -> str:
    """Return the address of the page of a step."""
    return f"/runs/{segment(record.run)}/steps/{segment(step.name)}"
