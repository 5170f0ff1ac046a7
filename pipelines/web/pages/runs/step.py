"""One step of a run: its log, what went in and came out, why it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pipelines.runs.live.log_ranges import Hit, StepLog, open_logs, search
from pipelines.runs.records import RunRecord, read_value
from pipelines.stores.store import KeyMissing
from pipelines.web.pages.file_names import attachment
from pipelines.web.pages.runs.log_text import shown
from pipelines.web.pages.runs.run import no_run
from pipelines.web.pages.runs.run_facts import facts_of, find_run
from pipelines.web.pages.runs.step_facts import step_facts
from pipelines.web.view import PageRoute, View

PAGE_BYTES = 64 * 1024
"""So much of a log is on a page."""
_HITS = 100
_QUERY_MAX = 200


@dataclass(frozen=True)
class LogPage:
    """A part of a log.

    Attributes:
        log: Which log.
        start: Where it begins, in bytes.
        end: Where it ends.
        text: What is there.
        follows: Whether it is the end of a log that grows.
        wanted: What is searched for, or "".
        hits: Lines that hold it.
        more: Where the search goes on, or None.
    """

    log: StepLog
    start: int
    end: int
    text: str
    follows: bool
    wanted: str = ""
    hits: Sequence[Hit] = ()
    more: int | None = None

    @property
    def earlier(self) -> int | None:
        """Where the part before begins; None at the beginning."""
        return max(0, self.start - PAGE_BYTES) if self.start else None

    @property
    def later(self) -> int | None:
        """Where the part after begins; None at the end."""
        return self.end if self.end < self.log.size else None


def step(view: View) -> Response:
    """Show a step: ``attempt``, ``from`` and ``q`` choose which part of which log."""
    record = find_run(view.service, view.path["run"])
    if record is None:
        return no_run(view)
    name = view.path["step"]
    if name not in record.steps:
        return no_step(view, record)
    with view.service.index() as index:
        facts = facts_of(view.service, index, record)
        known = step_facts(view.service.store, index, record, facts.graph, name)
    row = facts.by_name[name]
    logs = open_logs(view.service.store, record, name)
    log = chosen_log(logs, view.query.get("attempt", ""))
    order = [one.name for one in facts.steps]
    place = order.index(name)
    made_of: Mapping[str, Any] = known.execution.ingredients if known.execution else {}
    parameters: Mapping[str, Any] = made_of.get("parameters", {})
    return view.render(
        "step.html",
        title=f"{name} of {record.run}",
        run=record,
        step=row,
        facts=facts,
        known=known,
        logs=logs,
        attempt=view.query.get("attempt", ""),
        log=_page(view, log, ended=row.state not in ("running", "waiting")) if log else None,
        parameters=sorted(parameters.items()),
        before=order[place - 1] if place else None,
        after=order[place + 1] if place + 1 < len(order) else None,
    )


def no_step(view: View, record: RunRecord) -> Response:
    """Say that a run has no such step."""
    return view.missing(
        f"run {record.run} has no step {view.path['step']}", "choose one in the list of its steps"
    )


def chosen_log(logs: Sequence[StepLog], attempt: str) -> StepLog | None:
    """Return the log of an attempt, or of the last one; None where there is none."""
    if not attempt:
        return logs[-1] if logs else None
    return next((log for log in logs if str(log.attempt) == attempt), None)


def offset_of(text: str) -> int | None:
    """Return an offset of an address; None where there is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _page(view: View, log: StepLog, *, ended: bool) -> LogPage:
    asked = offset_of(view.query.get("from", ""))
    start = max(0, log.size - PAGE_BYTES) if asked is None else min(asked, log.size)
    end = min(log.size, start + PAGE_BYTES)
    follows = asked is None and log.grows and not ended
    data = log.read(start, end)
    if asked is None and start:  # the end of a log begins with a whole line
        cut = data.find(b"\n") + 1
        start, data = start + cut, data[cut:]
    text = shown(data)
    wanted = view.query.get("q", "")[:_QUERY_MAX]
    if not wanted:
        return LogPage(log, start, end, text, follows)
    hits, more = search(log, wanted, start=offset_of(view.query.get("after", "")) or 0, most=_HITS)
    lines = [Hit(hit.offset, shown(hit.line.encode())) for hit in hits]
    return LogPage(log, start, end, text, follows, wanted, lines, more)


def statement(view: View) -> Response:
    """Give the record of a step's execution, as the store holds it."""
    record = find_run(view.service, view.path["run"])
    if record is None:
        return no_run(view)
    if view.path["step"] not in record.steps:
        return no_step(view, record)
    key = str(record.steps.get(view.path["step"], {}).get("record") or "")
    try:
        data = read_value(view.service.store, key)
    except KeyMissing:
        return view.missing(
            f"the store holds no record of an execution of {view.path['step']}",
            "a step has one as soon as it has ended",
        )
    headers = {"content-disposition": attachment(f"{record.run}-{view.path['step']}.json")}
    return Response(data, media_type="application/json", headers=headers)


ROUTES = (
    PageRoute("/runs/{run}/steps/{step}", step),
    PageRoute("/runs/{run}/steps/{step}/statement", statement, live=False),
)
