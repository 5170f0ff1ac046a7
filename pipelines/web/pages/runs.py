"""The list of runs, in pages that news does not move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.progress import RunProgress
from pipelines.web.view import PageRoute, View

ON_A_PAGE = 50
_MOST_ICONS = 40
_LISTED = """
SELECT run.id, run.run, run.name, run.started, run.outcome, run.actor, run.wall_s,
       decision.winner, decision.bytes
FROM run LEFT JOIN choice ON choice.run = run.id
         LEFT JOIN decision ON decision.artifact = choice.artifact
"""
_OLDER = "(run.started, run.run) < (SELECT started, run FROM run WHERE run = ?)"
_NEWER = "(run.started, run.run) > (SELECT started, run FROM run WHERE run = ?)"
_COUNTED = "SELECT count(*) FROM run WHERE "


@dataclass(frozen=True)
class RunRow:
    """A run in a list.

    Attributes:
        run: Its identifier.
        name: Of its pipeline.
        started: When, ISO 8601.
        outcome: How it ended, or ``running``.
        actor: Who started it.
        wall_s: How long it took, in seconds; None while it goes on.
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
    def strip(self) -> Sequence[str]:
        """One state for each step, or for each group of them where there are many."""
        return self.states if len(self.states) <= _MOST_ICONS else sorted(set(self.states))

    @property
    def told(self) -> str:
        """The same in words."""
        counted = Counter(self.states)
        return ", ".join(f"{count} {state}" for state, count in sorted(counted.items())) or "none"


def rows_of(
    index: OpenIndex,
    live: Mapping[str, RunProgress],
    where: str = "1",
    values: Sequence[Any] = (),
    *,
    order: str = "DESC",
    most: int = ON_A_PAGE,
) -> list[RunRow]:
    """Return runs, the latest first.

    Args:
        index: Where they are found.
        live: How far those are that go on.
        where: SQL, with a question mark for each value.
        values: Those.
        order: Of their beginning.
        most: So many at most.
    """
    sql = f"{_LISTED} WHERE {where} ORDER BY run.started {order}, run.run {order} LIMIT ?"
    found = list(index.execute(sql, (*values, most)))
    marks = ",".join("?" * len(found))
    states: dict[int, list[str]] = {row[0]: [] for row in found}
    steps = f"SELECT run, state FROM run_step WHERE run IN ({marks})"  # noqa: S608 ours
    for run, state in index.execute(steps, [row[0] for row in found]):
        states[run].append(state)
    rows = [RunRow(*row[1:], states=_states(states[row[0]], live.get(row[1]))) for row in found]
    return rows if order == "DESC" else rows[::-1]


def _states(kept: list[str], progress: RunProgress | None) -> Sequence[str]:
    if progress is None:
        return kept
    return [str(step["state"]) for step in progress.steps.values()]


def runs(view: View) -> Response:
    """Show the list: ``name`` and ``outcome`` choose, ``before`` and ``after`` turn pages."""
    filters = {key: view.query.get(key, "") for key in ("name", "outcome")}
    chosen = [(f"run.{key} = ?", value) for key, value in filters.items() if value]
    before, after = view.query.get("before", ""), view.query.get("after", "")
    edges = ((_OLDER, before), (_NEWER, after))
    placed = chosen + [(sql, edge) for sql, edge in edges if edge]
    with view.service.index() as index:
        rows = rows_of(
            index, view.service.live, " AND ".join(sql for sql, _ in placed) or "1",
            [value for _, value in placed], order="ASC" if after else "DESC", most=ON_A_PAGE + 1,
        )  # fmt: skip
        more = len(rows) > ON_A_PAGE
        rows = rows[-ON_A_PAGE:] if after else rows[:ON_A_PAGE]
        where = " AND ".join(sql for sql, _ in chosen) or "1"
        counted = index.one(_COUNTED + where, [value for _, value in chosen])
        names = [name for (name,) in index.execute("SELECT DISTINCT name FROM run ORDER BY 1")]
        outcomes = [one for (one,) in index.execute("SELECT DISTINCT outcome FROM run ORDER BY 1")]
    has_older, has_newer = (True, more) if after else (more, bool(before))
    return view.render(
        "runs.html",
        title="Runs",
        runs=rows,
        total=counted[0] if counted else 0,
        names=names,
        outcomes=outcomes,
        filters=filters,
        newer=view.url(after=rows[0].run, before=None) if rows and has_newer else None,
        older=view.url(before=rows[-1].run, after=None) if rows and has_older else None,
    )


ROUTES = (PageRoute("/runs", runs),)
