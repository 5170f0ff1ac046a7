"""Runs compared: why they differ, only rows that differ, and their Pareto pictures in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.disk.visible import visible
from pipelines.lineage.comparing.telling import (
    difference_in_words,
    samples_in_words,
    steps_in_words,
)
from pipelines.lineage.comparing.why import WhyChanged, why_changed
from pipelines.runs.leaderboard import leaderboard_of
from pipelines.runs.records import read_run
from pipelines.sources.snapshot import DATA
from pipelines.web.comparing import (
    MOST_RUNS,
    RunColumn,
    columns_of,
    figure_rows,
    overlay,
    run_rows,
)
from pipelines.web.pages.runs.runs import rows_of
from pipelines.web.pareto_axes import cost_axes
from pipelines.web.service import Service
from pipelines.web.view import PageRoute, View

_OFFERED = 40
_FIGURES_SHOWN = 24


@dataclass(frozen=True)
class Pair:
    """Why a run differs from the one before it.

    Attributes:
        before: The earlier one.
        now: The later one.
        answer: Why.
        data: Where the difference of their data is shown; None where it is the same.
        lines: What differs, each with whether it belongs to the line above.
    """

    before: RunColumn
    now: RunColumn
    answer: WhyChanged
    data: str | None
    lines: Sequence[tuple[bool, str]]


def compare(view: View) -> Response:
    """Compare two to eight runs, or ask which."""
    asked = tuple(dict.fromkeys(view.queries.get("run", ())))
    if len(asked) > MOST_RUNS:
        raise UserError(f"these are {len(asked)} runs", f"compare {MOST_RUNS} at most")
    with view.service.index() as index:
        known = [
            run for run in asked if index.one("SELECT 1 FROM run WHERE run = ?", (run,)) is not None
        ]
        if unknown := [run for run in asked if run not in known]:
            return view.missing(f"there is no run {unknown[0]}", "choose runs of /compare")
        if len(asked) < 2 or "pick" in view.query:
            rows = rows_of(view.service, index, most=_OFFERED)
            return view.render("compare_pick.html", title="Compare runs", runs=rows, asked=asked)
    records = [read_run(view.service.store, run) for run in asked]
    columns = columns_of([leaderboard_of(view.service.cache, record) for record in records])
    pairs = [_pair(view.service, one, other) for one, other in pairwise(columns)]
    rows, figures = run_rows(columns), figure_rows(columns)
    costs = _costs(view, columns)
    return view.render(
        "compare.html",
        title=f"{len(columns)} runs compared",
        columns=columns,
        pairs=pairs,
        rows=[row for row in rows if row.differs],
        same=[row for row in rows if not row.differs],
        figures=figures[:_FIGURES_SHOWN],
        more_figures=figures[_FIGURES_SHOWN:],
        costs=costs,
        overlay=overlay(columns, next((name for name, one in costs.items() if one[2]), "size")),
        change=f"{view.where}&pick=1",
    )


def _pair(service: Service, before: RunColumn, now: RunColumn) -> Pair:
    runs = (before.record.run, now.record.run)
    answer = _why(service, *runs)
    digests = (before.record.sources.get(DATA), now.record.sources.get(DATA))
    changed = digests[0] and digests[1] and digests[0] != digests[1]
    data = f"/data/{digests[0]}/against/{digests[1]}" if changed else None
    lines = [(False, f"budget {difference_in_words(item)}") for item in answer.budgets]
    told = [*(samples_in_words(answer.samples) if answer.samples else ())]
    told += steps_in_words(answer.steps)
    lines += [(line.startswith(" "), visible(line.strip())) for line in told]
    return Pair(before, now, answer, data, lines)


def _why(service: Service, before: str, now: str) -> WhyChanged:
    """Compare two runs, once as long as there is no news of the store."""
    with service.index() as index:
        return service.answers.recall(
            index.stamp,
            ("why", before, now),
            lambda: why_changed(service.store, index, before, now),
        )


def _costs(view: View, columns: Sequence[RunColumn]) -> Mapping[str, tuple[str, str, bool]]:
    """Return the axes that all runs with a choice have: title, address, whether it is shown."""
    decisions = [column.board.decision for column in columns if column.board.decision]
    if not decisions:
        return {}
    axes = [cost_axes(decision) for decision in decisions]
    common = [name for name in axes[-1] if all(name in one for one in axes)]
    current = view.query.get("x", "size")
    current = current if current in common else common[0]
    where = "&".join(f"run={column.record.run}" for column in columns)
    return {
        name: (axes[-1][name].title, f"/compare?{where}&x={name}#over", name == current)
        for name in common
    }


ROUTES = (PageRoute("/compare", compare),)
