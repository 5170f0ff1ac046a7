"""Triggers: what starts runs by itself, how it stands with each, and why it did or did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pipelines.runs.releases.registry import registered
from pipelines.triggers.kept import list_triggers, read_trigger, trigger_names
from pipelines.web.jobs import StartedJob, error_in
from pipelines.web.pages.triggers.trigger_rows import row_of
from pipelines.web.view import PageRoute, View

RUN, RETRY, TEST, CONFIRM = "triggers run", "triggers retry", "triggers test", "tick"
_SHOWN = 50


@dataclass(frozen=True)
class Started:
    """What came of a command that somebody started here.

    Attributes:
        job: The command.
        what: Of a fault what is wrong; empty where there is none.
        fix: And what to do.
        decided: Of a test what a tick would do, each as what and why.
    """

    job: StartedJob
    what: str = ""
    fix: str = ""
    decided: Sequence[tuple[str, str]] = ()


def triggers(view: View) -> Response:
    """Show all triggers."""
    store = view.service.store
    whole, damaged = list_triggers(store)
    return view.render(
        "triggers.html",
        title="Triggers",
        rows=[row_of(view.service, one, view.now) for one in whole],
        damaged=damaged,
    )


def trigger(view: View) -> Response:
    """Show one trigger; ``all`` shows all that is kept of what it did."""
    name, store = view.path["name"], view.service.store
    names = trigger_names(store)
    if name not in names:
        listed = ", ".join(names[:10]) or "slimline schedule add, or slimline watch add"
        return view.missing(f"no trigger is called {name}", f"those that there are: {listed}")
    row = row_of(view.service, read_trigger(store, name), view.now)
    most = None if view.query.get("all") else _SHOWN
    found = {kind: view.service.jobs.find(kind, name) for kind in (RUN, RETRY, CONFIRM)}
    test = view.service.jobs.find(TEST, name)
    return view.render(
        "trigger.html",
        title=name,
        row=row,
        is_released=any(registered(store, row.trigger.configured["name"])),
        launches=row.launches[:most],
        ticks=row.ticks[:most],
        more=most is not None and max(len(row.launches), len(row.ticks)) > most,
        test=_started(test) if test else None,
        started=[one for job in found.values() if job and (one := _started(job))],
    )


def _started(job: StartedJob) -> Started:
    answer: Mapping[str, Any] = job.answer or {}
    if listed := answer.get("triggers"):  # of a tick, which can be about several
        answer = listed[0]
    if fault := error_in(answer) or job.fault:
        return Started(job, *fault)
    if answer.get("outcome") in ("failed", "refused", "superseded", "elsewhere"):
        return Started(job, f"{answer['outcome']}: {answer.get('why') or answer.get('run')}")
    ticks: Sequence[Mapping[str, Any]] = answer.get("ticks") or ()
    return Started(job, decided=[(str(one["what"]), str(one["why"])) for one in ticks])


ROUTES: tuple[PageRoute, ...] = (
    PageRoute("/triggers", triggers),
    PageRoute("/triggers/{name}", trigger),
)
