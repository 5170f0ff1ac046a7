"""The list of runs, in pages that news does not move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pipelines.lineage.index.opening import OpenIndex
from pipelines.web.bars import in_order
from pipelines.web.comparing import MOST_RUNS
from pipelines.web.pages.runs.run_actions import can_start
from pipelines.web.pages.runs.why_started import TRIGGER
from pipelines.web.service import Service
from pipelines.web.view import PageRoute, View

ON_A_PAGE = 50
_ACTORS_MAX, _TEXT_MAX = 50, 100
_FILTERS = ("q", "name", "outcome", "by")
_FROM = """
FROM run LEFT JOIN choice ON choice.run = run.id
         LEFT JOIN decision ON decision.artifact = choice.artifact
"""
_LISTED = f"""
SELECT run.id, run.run, run.name, run.started, run.outcome, run.actor, run.wall_s,
       decision.winner, decision.bytes, run.whole {_FROM}
"""
_OLDER = "(run.started, run.run) < (SELECT started, run FROM run WHERE run = ?)"
_NEWER = "(run.started, run.run) > (SELECT started, run FROM run WHERE run = ?)"
_TEXT = """(run.run LIKE ? ESCAPE '\\' OR run.actor LIKE ? ESCAPE '\\'
 OR decision.winner LIKE ? ESCAPE '\\')"""

Condition = tuple[str, tuple[Any, ...]]
"""SQL, and a value for each of its question marks."""


@dataclass(frozen=True)
class RunRow:
    """A run in a list.

    Attributes:
        run: Its identifier.
        name: Of its pipeline.
        started: When, ISO 8601.
        outcome: How it ended, or ``running``.
        actor: Who started it.
        wall_s: How long it took, in seconds; None of one that has recorded no end.
        winner: The variant that was chosen, or None.
        bytes: Its size, or None.
        states: Of its steps.
    """

    run: str
    name: str
    started: str
    outcome: str
    actor: str
    wall_s: float | None
    winner: str | None
    bytes: int | None
    states: Sequence[str]

    @property
    def counts(self) -> Sequence[tuple[str, int]]:
        """How many of its steps are in which state, what is done first."""
        return in_order(self.states)

    @property
    def told(self) -> str:
        """The same in words."""
        return ", ".join(f"{count} {state}" for state, count in self.counts) or "none"


def rows_of(
    service: Service,
    index: OpenIndex,
    conditions: Sequence[Condition] = (),
    *,
    order: str = "DESC",
    most: int = ON_A_PAGE,
) -> list[RunRow]:
    """Return runs, the latest first.

    Args:
        service: Knows how the runs are that have recorded no end.
        index: Where runs are found.
        conditions: Which runs.
        order: Of their beginning.
        most: So many at most.
    """
    where, values = _joined(conditions)
    sql = f"{_LISTED} WHERE {where} ORDER BY run.started {order}, run.run {order} LIMIT ?"
    found = list(index.execute(sql, (*values, most)))
    marks = ",".join("?" * len(found))
    states: dict[int, list[str]] = {row[0]: [] for row in found}
    steps = f"SELECT run, state FROM run_step WHERE run IN ({marks})"  # noqa: S608 ours
    for run, state in index.execute(steps, [row[0] for row in found]):
        states[run].append(state)
    rows = [_row(service, row[1:], states[row[0]]) for row in found]
    return rows if order == "DESC" else rows[::-1]


def _row(service: Service, found: tuple[Any, ...], states: Sequence[str]) -> RunRow:
    run, name, started, outcome, actor, wall_s, winner, size, whole = found
    if gone := service.gone.get(run):
        outcome = gone.outcome
        states = [str(step["state"]) for step in gone.steps.values()]
    elif progress := service.live.get(run):
        states = [str(step["state"]) for step in progress.steps.values()]
    took_s = wall_s if whole else None
    return RunRow(run, name, started, outcome, actor, took_s, winner, size, states)


def _joined(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    where = " AND ".join(sql for sql, _ in conditions) or "1"
    return where, [value for _, values in conditions for value in values]


def chosen(service: Service, filters: Mapping[str, str]) -> list[Condition]:
    """Return what the filters of the list ask for."""
    found: list[Condition] = []
    if text := filters["q"][:_TEXT_MAX]:
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found.append((_TEXT, (f"%{escaped}%",) * 3))
    if filters["name"]:
        found.append(("run.name = ?", (filters["name"],)))
    if filters["by"]:
        found.append(("run.actor = ?", (filters["by"],)))
    if outcome := filters["outcome"]:
        found.append(_with_outcome(service, outcome))
    return found


def _with_outcome(service: Service, outcome: str) -> Condition:
    """Return what runs of an outcome are, also those whose process is gone without a word."""
    gone = [run for run, record in service.gone.items() if record.outcome == outcome]
    others = [run for run, record in service.gone.items() if record.outcome != outcome]
    marks, other_marks = (",".join("?" * len(runs)) for runs in (gone, others))
    sql = f"(run.run IN ({marks}) OR run.outcome = ? AND run.run NOT IN ({other_marks}))"
    return sql, (*gone, outcome, *others)


def runs(view: View) -> Response:
    """Show the list: filters choose, ``before`` and ``after`` turn pages."""
    service = view.service
    filters = {key: view.query.get(key, "").strip() for key in _FILTERS}
    conditions = chosen(service, filters)
    before, after = view.query.get("before", ""), view.query.get("after", "")
    edges = ((_OLDER, before), (_NEWER, after))
    placed = [*conditions, *((sql, (edge,)) for sql, edge in edges if edge)]
    with service.index() as index:
        rows = rows_of(service, index, placed, order="ASC" if after else "DESC", most=ON_A_PAGE + 1)
        more = len(rows) > ON_A_PAGE
        rows = rows[-ON_A_PAGE:] if after else rows[:ON_A_PAGE]
        where, values = _joined(conditions)
        counted = index.one(f"SELECT count(*) {_FROM} WHERE {where}", values)
        names = [str(name) for (name,) in index.execute("SELECT DISTINCT name FROM run ORDER BY 1")]
        actors = _actors(index)
        outcomes = _outcomes(service, index)
    has_older, has_newer = (True, more) if after else (more, bool(before))
    return view.render(
        "runs.html",
        title="Runs",
        runs=rows,
        total=counted[0] if counted else 0,
        names=names,
        actors=[one for one in actors if not one.startswith(TRIGGER)],
        triggers=[one for one in actors if one.startswith(TRIGGER)],
        outcomes=outcomes,
        filters=filters,
        filtered=any(filters.values()),
        can_start=can_start(view),
        compared_max=MOST_RUNS,
        newer=view.url(after=rows[0].run, before=None) if rows and has_newer else None,
        older=view.url(before=rows[-1].run, after=None) if rows and has_older else None,
    )


def _actors(index: OpenIndex) -> list[str]:
    """Return who has started most runs, by name."""
    sql = "SELECT actor FROM run GROUP BY actor ORDER BY count(*) DESC LIMIT ?"
    return sorted(str(actor) for (actor,) in index.execute(sql, (_ACTORS_MAX,)) if actor)


def _outcomes(service: Service, index: OpenIndex) -> list[str]:
    found = {str(one) for (one,) in index.execute("SELECT DISTINCT outcome FROM run")}
    return sorted(found | {record.outcome for record in service.gone.values()})


ROUTES = (PageRoute("/runs", runs),)
