"""What needs somebody: runs that failed lately, triggers that wait for a person, candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from components.contract.errors import UserError
from pipelines.launch import detached
from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.actions import Action, actions_on
from pipelines.runs.records import RunRecord, read_run
from pipelines.triggers.kept import Damaged
from pipelines.web.pages.releases.release_rows import names_of, rows_of
from pipelines.web.pages.runs.log_text import shown
from pipelines.web.pages.triggers.trigger_rows import TriggerRow
from pipelines.web.templating import segment
from pipelines.web.view import View

_LATELY = timedelta(days=14)
_LOOKED_THROUGH, _FAILED_MAX = 500, 8
_LATEST = """
SELECT run, name, outcome FROM run WHERE started >= ? ORDER BY started DESC, run DESC LIMIT ?
"""

StartedRun = tuple[Action, detached.DetachedState]
"""Who started a run through a page, and what became of its process here."""


@dataclass(frozen=True)
class Need:
    """Something that waits for a person.

    Attributes:
        icon: The state whose icon it has.
        kind: What kind of thing it is, in a word or two.
        what: What it is about.
        link: Where it is looked at, and dealt with.
        why: What happened, in a sentence.
        fix: What can be done.
        at: Since when it waits, ISO 8601; empty where nothing tells.
    """

    icon: str
    kind: str
    what: str
    link: str
    why: str
    fix: str = ""
    at: str = ""


def needs_of(
    view: View,
    index: OpenIndex,
    started: Sequence[StartedRun],
    triggers: Sequence[TriggerRow],
    damaged: Sequence[Damaged],
) -> list[Need]:
    """Return what needs somebody, the most urgent first.

    Args:
        view: Who asks, and the store.
        index: Of the store.
        started: What pages have started lately; see ``started_lately``.
        triggers: All triggers.
        damaged: Those that cannot be read.
    """
    return [
        *_not_begun(started),
        *_failed(view, index),
        *(need for row in triggers for need in _of_trigger(row)),
        *(_damaged(one) for one in damaged),
        *_candidates(index),
        *_problems(index),
    ]


def started_lately(view: View) -> Iterator[StartedRun]:
    """Yield what pages have started since yesterday, and what became of its process here."""
    for day in (view.now, view.now - timedelta(days=1)):
        for action in reversed(actions_on(view.service.store, day)):
            if action.action in ("run", "run again") and (
                state := detached.state(view.service.store, action.what)
            ):
                yield action, state


def _not_begun(started: Sequence[StartedRun]) -> Iterator[Need]:
    for action, state in started:
        if state.what == "died":
            said = shown(state.lines.encode()).strip().splitlines()
            yield Need(
                "failed", "Did not begin", action.what, f"/runs/{segment(action.what)}",
                said[-1] if said else "its process said nothing", at=action.at,
            )  # fmt: skip


def _failed(view: View, index: OpenIndex) -> Iterator[Need]:
    """Yield the pipelines whose latest run that ended has failed."""
    since = (view.now - _LATELY).isoformat()
    seen: set[str] = set()
    count = 0
    for run, name, indexed in index.execute(_LATEST, (since, _LOOKED_THROUGH)):
        gone = view.service.gone.get(run)
        outcome = gone.outcome if gone else indexed
        if name in seen or outcome in ("running", "cancelled"):
            continue
        seen.add(name)
        if outcome in ("failed", "broken") and count < _FAILED_MAX:
            count += 1
            try:
                yield _failure(gone or read_run(view.service.store, run))
            except UserError as error:
                yield Need(outcome, "Failed", run, f"/runs/{segment(run)}", error.what, error.fix)


def _failure(record: RunRecord) -> Need:
    address = f"/runs/{segment(record.run)}"
    failed = [(name, step) for name, step in record.steps.items() if step["state"] == "failed"]
    at = record.finished or record.started
    if failed:
        name, step = failed[0]
        why = f"{name}: {str(step.get('what') or '').partition(chr(10))[0]}"
        return Need("failed", "Failed", record.run, address, why, str(step.get("fix") or ""), at)
    why = (record.fault or "nobody knows why").partition(", last seen at")[0]
    return Need(
        record.outcome, "Broken off", record.run, address, why,
        "run it again: it goes on from what it has", at,
    )  # fmt: skip


def _of_trigger(row: TriggerRow) -> Iterator[Need]:
    name = row.trigger.name
    address = f"/triggers/{segment(name)}"
    if row.held:
        yield Need(
            "broken", "Held data", name, address, row.held.why,
            "look at the data, and confirm it there", row.held.at,
        )  # fmt: skip
    if row.dead:
        count = f", and {len(row.dead) - 1} more" if len(row.dead) > 1 else ""
        first = row.dead[0]
        yield Need(
            "failed", "Dead letter", name, address, f"{first.why}{count}",
            "retry or dismiss it there", first.at,
        )  # fmt: skip
    if row.trigger.paused and row.ticks and row.ticks[0].tick.what == "pause":
        yield Need(
            "cancelled", "Paused itself", name, address, row.trigger.paused,
            "resume it there", row.ticks[0].tick.last,
        )  # fmt: skip
    if row.overdue:
        yield Need("broken", "Overdue", name, address, row.overdue, "see whether this server, or "
                   "slimline tick, evaluates triggers")  # fmt: skip
    if row.long:
        yield Need("running", "Runs long", name, address, row.long)


def _damaged(one: Damaged) -> Need:
    return Need(
        "failed", "Damaged trigger", one.name, "/triggers", one.why.partition("\n")[0],
        f"remove it, and add it again: slimline triggers remove {one.name}",
    )  # fmt: skip


def _candidates(index: OpenIndex) -> Iterator[Need]:
    for name in names_of(index):
        found = rows_of(index, name.name, "release.state = 'candidate'", most=1)
        if found and (not name.champion or found[0].at > name.champion.at):
            latest = found[0]
            against = f"; the champion is of run {name.champion.run}" if name.champion else ""
            what = f"variant {latest.variant}" if latest.variant else "a model"
            yield Need(
                "waiting", "Candidate", name.name, f"/releases/{segment(name.name)}",
                f"{what} of run {latest.run}{against}",
                "promote it there, or leave it", latest.at,
            )  # fmt: skip


def _problems(index: OpenIndex) -> Iterator[Need]:
    counted = index.one("SELECT count(*) FROM problem")
    if counted and counted[0]:
        what = "1 value" if counted[0] == 1 else f"{counted[0]:,} values"
        yield Need("broken", "Damaged", what, "/health", "they are not what slimline wrote",
                   "slimline verify says what, and what it touches")  # fmt: skip
