"""What ran when: the steps of one run, and the runs of the last days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from pipelines.runs.live.settled_steps import longest_path
from pipelines.web.gantt_svg import Bar, GanttRow, gantt_svg
from pipelines.web.pages.runs.run import no_run
from pipelines.web.pages.runs.run_facts import RunStep, ShownRun, facts_of, find_run
from pipelines.web.pages.runs.runs import RunRow, rows_of
from pipelines.web.state_icons import look_of
from pipelines.web.templating import duration, segment
from pipelines.web.view import PageRoute, View

DAYS = (1, 7, 30)
"""So many days back a picture of runs may go."""
_RUNS_MAX = 300
_ROWS_MAX = 150


def run_timeline(view: View) -> Response:
    """Show when the steps of a run ran, and which of them lie on its longest path."""
    record = find_run(view.service, view.path["run"])
    if record is None:
        return no_run(view)
    with view.service.index() as index:
        facts = facts_of(view.service, index, record)
    ran = sorted(
        (step for step in facts.steps if step.began and step.state != "cached"),
        key=lambda step: (step.began or view.now, step.name),
    )
    path, path_s = _longest(facts)
    rows = [_step_row(facts, step, set(path)) for step in ran]
    return view.render(
        "run_timeline.html",
        title=f"Timeline of {record.run}",
        run=record,
        facts=facts,
        ran=ran,
        others=[(name, count) for name, count in facts.counts if name in ("cached", "skipped")],
        waiting=[step for step in facts.steps if step.state == "waiting"],
        path=[facts.by_name[name] for name in path if name in facts.by_name],
        path_s=path_s,
        rows_max=_ROWS_MAX,
        picture=gantt_svg(
            rows, facts.length_s, _since_begin,
            title=f"When the steps of {record.run} ran",
        )
        if 0 < len(rows) <= _ROWS_MAX
        else None,
    )  # fmt: skip


def _longest(facts: ShownRun) -> tuple[list[str], float]:
    """Return the steps of the longest path of a run, and how long they took."""
    if facts.graph is None:
        return [], 0.0
    took = {step.name: step.own_s for step in facts.steps if step.own_s is not None}
    path, path_s = longest_path(facts.graph, took)
    return [name for name in path if name in took], path_s


def _since_begin(moment: float) -> str:
    return f"{moment:g} s" if moment < 10 else duration(moment)


def _step_row(facts: ShownRun, step: RunStep, path: set[str]) -> GanttRow:
    start, end = (facts.share(one) * facts.length_s for one in (step.began, step.ended))
    took = f", {duration(end - start)}" if step.ended else ""
    told = f"{step.name}: {look_of(step.state).word}{took}, {facts.told_when(step)}"
    link = f"/runs/{segment(facts.record.run)}/steps/{segment(step.name)}"
    bar = Bar(start, end, step.state, told, link, step.waited_s, step.name in path)
    return GanttRow(step.name, [bar], link)


def timeline(view: View) -> Response:
    """Show when runs ran: ``days`` says how far back."""
    asked = view.query.get("days", "")
    days = int(asked) if asked in {str(one) for one in DAYS} else DAYS[1]
    name = view.query.get("name", "")
    now = view.now.astimezone(UTC)
    begin = now - timedelta(days=days)
    conditions: list[tuple[str, tuple[object, ...]]] = [("run.started >= ?", (begin.isoformat(),))]
    if name:
        conditions.append(("run.name = ?", (name,)))
    with view.service.index() as index:
        found = rows_of(view.service, index, conditions, most=_RUNS_MAX + 1)
        names = [str(one) for (one,) in index.execute("SELECT DISTINCT name FROM run ORDER BY 1")]
    shown = found[:_RUNS_MAX]
    rows = _pipelines(shown, begin, now)
    length_s = (now - begin).total_seconds()
    return view.render(
        "timeline.html",
        title="Timeline",
        days=days,
        choices=DAYS,
        name=name,
        names=names,
        count=len(shown),
        cut=len(found) > _RUNS_MAX,
        picture=gantt_svg(
            rows,
            length_s,
            lambda moment: _axis_text(begin + timedelta(seconds=moment), days),
            title=f"When runs ran in the last {days} days",
            step_of=lambda _: _moments(begin, now, days),
        )
        if rows
        else None,
    )


def _pipelines(found: Sequence[RunRow], begin: datetime, now: datetime) -> list[GanttRow]:
    by_name: dict[str, list[Bar]] = {}
    for run in found:
        started = datetime.fromisoformat(run.started)
        start_s = (started - begin).total_seconds()
        running = run.outcome == "running"
        took_s = (now - started).total_seconds() if running else run.wall_s or 0.0
        took = f", {duration(took_s)}" if took_s else ""
        told = f"{run.run}: {look_of(run.outcome).word}{took}, {started:%Y-%m-%d %H:%M} UTC"
        bar = Bar(start_s, start_s + took_s, run.outcome, told, f"/runs/{segment(run.run)}")
        by_name.setdefault(run.name, []).append(bar)
    return [
        GanttRow(name, bars, f"/runs?name={segment(name)}")
        for name, bars in sorted(by_name.items())
    ]


def _moments(begin: datetime, now: datetime, days: int) -> list[float]:
    """Return midnights, or every fourth hour of one day, in seconds from the left edge."""
    step = timedelta(hours=4) if days == 1 else timedelta(days=1 if days <= 7 else 5)
    moment = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[float] = []
    while moment <= now:
        if moment >= begin:
            found.append((moment - begin).total_seconds())
        moment += step
    return found


def _axis_text(moment: datetime, days: int) -> str:
    rounded = moment + timedelta(seconds=1)
    return f"{rounded:%H:%M}" if days == 1 else f"{rounded:%b} {rounded.day}"


ROUTES = (
    # Both end at the present, which no news follows.
    PageRoute("/timeline", timeline, live=False),
    PageRoute("/runs/{run}/timeline", run_timeline, live=False),
)
