"""The first page: what needs somebody, what runs, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.records import RunRecord
from pipelines.triggers.kept import list_triggers
from pipelines.web.pages.live_runs import Ahead, ahead, unfinished
from pipelines.web.pages.needs import needs_of, started_lately
from pipelines.web.pages.release_rows import ReleaseRow, names_of, rows_of
from pipelines.web.pages.run_actions import can_start
from pipelines.web.pages.run_facts import progress_of, share_of
from pipelines.web.pages.runs import rows_of as runs_of
from pipelines.web.pages.trigger_rows import row_of
from pipelines.web.service import Service
from pipelines.web.view import PageRoute, View

_RUNS, _RELEASES = 6, 5


@dataclass(frozen=True)
class RunAhead:
    """A run that goes on.

    Attributes:
        record: As the store has it.
        ahead: How far it is.
        states: Of its steps.
        now: Name of each step that runs, and how far it is.
    """

    record: RunRecord
    ahead: Ahead
    states: Sequence[str]
    now: Sequence[tuple[str, float | None]]


def home(view: View) -> Response:
    """Show it."""
    service = view.service
    whole, damaged = list_triggers(service.store)
    triggers = [row_of(service.store, one, view.now) for one in whole]
    with service.index() as index:
        needs = needs_of(view, index, triggers, damaged)
        latest = runs_of(service, index, most=_RUNS)
        releases = _releases(index)
    starting = [action for action, state in started_lately(view) if state.what == "not yet"]
    coming = [row for row in triggers if not row.trigger.paused]
    coming.sort(key=lambda row: (row.next[0].timestamp() if row.next else 1e18, row.trigger.name))
    return view.render(
        "home.html",
        title="Home",
        needs=needs,
        going=[_going(service, one) for one in unfinished(service).values()],
        starting=starting,
        coming=coming,
        triggers=triggers,
        releases=releases,
        latest=latest,
        can_start=can_start(view),
    )


def _going(service: Service, record: RunRecord) -> RunAhead:
    now = [
        (name, share_of(progress_of(step)))
        for name, step in record.steps.items()
        if step["state"] == "running"
    ]
    states = [str(step["state"]) for step in record.steps.values()]
    return RunAhead(record, ahead(service, record), states, now)


def _releases(index: OpenIndex) -> list[ReleaseRow]:
    """Return the latest releases, of all names."""
    found = [one for name in names_of(index) for one in rows_of(index, name.name, most=_RELEASES)]
    found.sort(key=lambda one: one.at, reverse=True)
    return [one for one in found if one.state != "no winner"][:_RELEASES]


ROUTES = (PageRoute("/", home),)
