"""The first page: what needs somebody, what runs, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from pipelines.runs.records import RunRecord
from pipelines.triggers.kept import list_triggers
from pipelines.web.pages.needs_somebody import needs_of, started_lately
from pipelines.web.pages.releases.release_rows import latest_rows
from pipelines.web.pages.runs.live_runs import Ahead, ahead, unfinished
from pipelines.web.pages.runs.run_actions import can_start
from pipelines.web.pages.runs.run_facts import progress_of, share_of
from pipelines.web.pages.runs.runs import rows_of as runs_of
from pipelines.web.pages.triggers.trigger_rows import row_of
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
    triggers = [row_of(service, one, view.now) for one in whole]
    started = list(started_lately(view))
    with service.index() as index:
        needs = needs_of(view, index, started, triggers, damaged)
        latest = runs_of(service, index, most=_RUNS)
        releases = latest_rows(index, _RELEASES)
    starting = [action for action, state in started if state.what == "not yet"]
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


ROUTES = (PageRoute("/", home),)
