"""The leaderboard of a run, and its decision explored: other axes, budgets moved by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from components.artifacts.decision import Candidate
from components.artifacts.evaluation import Evaluation
from components.pages.leaderboard import board_of
from components.pages.outcome import SealedVerdict
from components.selection.deciding import judged_by
from components.selection.sealed_step import sealed_next_step
from components.statistics.bootstrap import Interval
from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.leaderboard import Leaderboard, leaderboard_of
from pipelines.runs.records import RunRecord, read_run
from pipelines.web.budgets_asked import FLOOR
from pipelines.web.exploring import exploration_of, explore
from pipelines.web.pareto_axes import cost_axes, metric_axes
from pipelines.web.view import PageRoute, View

_EARLIER = """
SELECT run FROM run WHERE name = ? AND (started, run) < (?, ?) AND outcome = 'done'
ORDER BY started DESC, run DESC LIMIT 1
"""
_MOVED = ("per", "minimize", "at")
"""What an address says that asks for another choice, beside budgets that are moved."""
_REPORTS = (
    ("Report", "publish", "report"),
    ("Model card", "publish", "page"),
    ("Report", "select", "page"),
)


@dataclass(frozen=True)
class Choosable:
    """A link among several, one of which is where one is.

    Attributes:
        title: What it shows.
        link: Where it leads.
        current: Whether that is shown now.
    """

    title: str
    link: str
    current: bool


@dataclass(frozen=True)
class Walked:
    """A variant among those that can be walked through.

    Attributes:
        ident: Of its row, unique in the page.
        link: Shows it in the picture.
    """

    ident: str
    link: str


def board(view: View) -> Response:
    """Show what a run found out."""
    run = view.path["run"]
    with view.service.index() as index:
        if index.one("SELECT 1 FROM run WHERE run = ?", (run,)) is None:
            return view.missing(f"there is no run {run}", "choose one of /runs")
        record = read_run(view.service.store, run)
        earlier = index.one(_EARLIER, (record.name, record.started, record.run))
        reports = _reports(index, record)
    found = leaderboard_of(view.service.cache, record)
    title = f"Leaderboard of {run}"
    if found.decision is None:
        return view.render("board_empty.html", title=title, found=found, record=record)
    asked = exploration_of(found.decision, view.query)
    sealed = sealed_verdict(view.service.cache, found)
    own = board_of(found.decision, sealed)
    explored = explore(found.decision, asked, own.outcome.verdicts)
    floors = [name for name in view.query if name.startswith(FLOOR)]
    moved = [dial.field for dial in explored.dials]
    return view.render(
        "board.html",
        title=title,
        record=record,
        found=found,
        own=own,
        board=board_of(explored.decision) if explored.moved else own,
        explored=explored,
        asked=asked,
        shown=asked.shown or explored.decision.winner or explored.walk[0],
        costs=_choices(view, "x", asked.cost, found),
        metrics=_choices(view, "y", asked.metric, found),
        walk=_walk(view, found.decision.variants),
        reset=view.url(**dict.fromkeys([*_MOVED, *moved, *floors], None)),
        reports=reports,
        earlier=earlier and earlier[0],
    )


def sealed_verdict(cache: Cache, found: Leaderboard) -> SealedVerdict | None:
    """Return what the sealed images say of the winner, as the report of the run says it."""
    sealed, decision = found.sealed, found.decision
    if sealed is None or decision is None or decision.winner is None or sealed.winner is None:
        return None
    drop = Interval(**sealed.drop) if sealed.drop else None
    reached = sealed.winner.get(decision.metric)
    return SealedVerdict(
        qualified=sealed.qualified,
        reasons=tuple(sealed.reasons),
        drop=drop,
        metric=Interval(**reached) if reached else None,
        images=sealed.n_images or 0,
        next_step=None if sealed.qualified else _next_step(cache, found, drop),
    )


def _next_step(cache: Cache, found: Leaderboard, drop: Interval | None) -> str | None:
    """Say what to do about a release that does not qualify, as far as that can be read."""
    assert found.decision
    tree = found.record.steps["evaluate-sealed-teacher"]["outputs"]["report"]
    try:
        evaluation = Evaluation.from_json(json.loads(cache.read_file(tree, Evaluation.FILE)))
    except (CorruptionError, KeyError, ValueError):
        return None
    return sealed_next_step(drop, found.decision, *judged_by(evaluation))


def _choices(view: View, axis: str, current: str, found: Leaderboard) -> Sequence[Choosable]:
    assert found.decision
    axes = cost_axes(found.decision) if axis == "x" else metric_axes(found.decision)
    first = next(iter(axes))
    return [
        Choosable(one.title, view.url(**{axis: None if name == first else name}), name == current)
        for name, one in axes.items()
    ]


def _walk(view: View, variants: Sequence[Candidate]) -> dict[str, Walked]:
    return {
        one.name: Walked(f"variant-{place}", f"{view.url(at=one.name)}#explore")
        for place, one in enumerate(variants)
    }


def _reports(index: OpenIndex, record: RunRecord) -> list[tuple[str, str]]:
    """Return the pages that the run itself has made: title and address."""
    found: dict[str, str] = {}
    for title, step, output in _REPORTS:
        digest = record.steps.get(step, {}).get("outputs", {}).get(output)
        known = digest and index.one(
            "SELECT 1 FROM artifact WHERE digest = ?", (bytes.fromhex(digest),)
        )
        if known:
            found.setdefault(title, f"/artifacts/{digest}/0")
    return list(found.items())


ROUTES = (PageRoute("/runs/{run}/board", board),)
