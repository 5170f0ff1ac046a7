"""Several runs beside each other: what differs between them, and what each measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from components.pages.charts.pareto import pareto_svg
from components.pages.charts.pareto_parts import BudgetLines, Point
from components.pages.charts.svg import NARROW, WIDE
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import short_bytes, short_time, short_times, with_interval
from pipelines.lineage.comparing.metrics import FigureKey, are_apart, figures_of
from pipelines.runs.leaderboard import Leaderboard
from pipelines.runs.records import RunRecord
from pipelines.sources.snapshot import DATA
from pipelines.web.pareto_axes import cost_axes, limits_of, metric_axes, points_of
from pipelines.web.templating import duration, short

MOST_RUNS = 8
LETTERS = "ABCDEFGH"
_MOST_NAMED = 12
_P50 = "p50_ms on "


@dataclass(frozen=True)
class RunColumn:
    """One of the runs.

    Attributes:
        letter: Stands for it in the page.
        record: The run.
        board: What it found out.
    """

    letter: str
    record: RunRecord
    board: Leaderboard

    @property
    def series(self) -> str:
        """The class that colours it in pictures."""
        return f"series-{self.letter.lower()}"


@dataclass(frozen=True)
class Cell:
    """What a run has in a row.

    Attributes:
        text: In words.
        link: Where more of it stands, or None.
        apart: Whether its interval and that of the run before do not overlap.
    """

    text: str
    link: str | None = None
    apart: bool = False


@dataclass(frozen=True)
class ComparedRow:
    """Something of every run.

    Attributes:
        name: What.
        cells: One for each run.
    """

    name: str
    cells: Sequence[Cell]

    @property
    def differs(self) -> bool:
        """Whether it is not the same in all runs."""
        return len({cell.text for cell in self.cells}) > 1


def columns_of(boards: Sequence[Leaderboard]) -> list[RunColumn]:
    """Return runs as columns, the one that began first first."""
    ordered = sorted(boards, key=lambda board: (board.record.started, board.record.run))
    return [
        RunColumn(letter, board.record, board)
        for letter, board in zip(LETTERS, ordered, strict=False)
    ]


# runs -------------------------------------------------------------------------------------------


def run_rows(columns: Sequence[RunColumn]) -> list[ComparedRow]:
    """Return what the records and the decisions of the runs say."""
    told = [dict(_told(column)) for column in columns]
    fullest = max(told, key=len)
    names = dict.fromkeys(name for one in (fullest, *told) for name in one)
    return [ComparedRow(name, [one.get(name, Cell("none")) for one in told]) for name in names]


def _told(column: RunColumn) -> Iterator[tuple[str, Cell]]:
    record, board = column.record, column.board
    yield "Outcome", Cell(record.outcome)
    yield from _chosen(board)
    for name, digest in record.sources.items():
        shown = "Data" if name == DATA else f"Source {name}"
        yield shown, Cell(short(digest), f"/data/{digest}" if name == DATA else None)
    if board.images:
        yield "Images used", Cell(f"{board.images.used:,} of {board.images.images:,}")
    for name, value in record.budgets.items():
        yield f"Budget: {name.replace('_', ' ')}", Cell(_plain(value))
    yield "Configuration", Cell(short(record.config_digest))
    yield "Steps", Cell(f"{len(record.steps)}, graph {short(record.graph_digest)}")
    yield "Engine", Cell(record.engine)
    yield "By", Cell(record.actor or "unknown")
    took = None if record.finished is None else record.wall_s
    yield "Took", Cell(duration(took))


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())  # pyright: ignore[reportUnknownVariableType]
    return str(value)


def _chosen(board: Leaderboard) -> Iterator[tuple[str, Cell]]:
    decision = board.decision
    if decision is None:
        return
    yield "Winner", Cell(decision.winner or "none", f"/runs/{board.record.run}/board")
    if decision.winner is None:
        return
    winner = decision.variant(decision.winner)
    yield "Winner: size", Cell(short_bytes(winner.file_bytes))
    if winner.metric:
        yield f"Winner: {METRICS[decision.metric].title}", Cell(with_interval(winner.metric))
    if winner.drop:
        yield "Winner: drop", Cell(with_interval(winner.drop))
    for device, timing in winner.latency.items():
        if timing.p50_ms:
            yield f"Winner: p50 on {device}", Cell(short_time(timing.p50_ms.value))
    if board.sealed:
        yield "Sealed images", Cell("qualified" if board.sealed.qualified else "not qualified")
        if board.sealed.drop:
            yield "Drop, sealed images", Cell(with_interval(Interval(**board.sealed.drop)))


# figures ----------------------------------------------------------------------------------------


def figure_rows(columns: Sequence[RunColumn]) -> list[ComparedRow]:
    """Return numbers of variants that at least two of the runs measured and that differ."""
    found = [dict(figures_of(column.board)) for column in columns]
    keys = dict.fromkeys(key for one in found for key in one)
    winners = {column.board.decision.winner for column in columns if column.board.decision}
    rows: list[tuple[bool, ComparedRow]] = []
    for key in keys:
        values = [one.get(key) for one in found]
        if key[3] or sum(value is not None for value in values) < 2:
            continue
        row = ComparedRow(_name(key), list(_cells(key, values)))
        if row.differs:
            rows.append((key[0] not in winners, row))
    return [row for _, row in sorted(rows, key=lambda item: item[0])]


def _name(key: FigureKey) -> str:
    variant, figure, images, _ = key
    if figure == "size_bytes":
        return f"{variant}: size"
    if figure.startswith(_P50):
        return f"{variant}: p50 on {figure.removeprefix(_P50)}"
    title = METRICS[figure].title if figure in METRICS else figure
    return f"{variant}: {title}, {images} images"


def _cells(key: FigureKey, values: Sequence[Interval | None]) -> Iterator[Cell]:
    before: Interval | None = None
    for value in values:
        yield Cell(_number(key[1], value), apart=are_apart(before, value))
        before = value or before


def _number(figure: str, value: Interval | None) -> str:
    """Write a number with its interval, as the report does."""
    if value is None:
        return "not measured"
    if figure == "size_bytes":
        return short_bytes(value.value)
    if figure.startswith(_P50):
        return f"{short_time(value.value)} ({short_times(value.low, value.high)})"
    return with_interval(value)


# the picture ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Overlay:
    """The Pareto pictures of several runs, over each other.

    Attributes:
        metric: Title of what runs upwards.
        pictures: For desks and for phones.
        left_out: Runs that have nothing to draw, or count another metric.
    """

    metric: str
    pictures: tuple[Markup, Markup]
    left_out: Sequence[str]


def overlay(columns: Sequence[RunColumn], cost: str) -> Overlay | None:
    """Draw the variants of several runs in one picture; None where there is nothing to draw.

    Args:
        columns: The runs.
        cost: Name of the axis that runs to the right; see ``cost_axes``.
    """
    decided = [column for column in columns if column.board.decision]
    if not decided:
        return None
    last = decided[-1].board.decision
    assert last
    drawn = [one for one in decided if _counts(one, last.metric)]
    points = [point for column in drawn for point in _points(column, cost, last.metric)]
    if not points:
        return None
    if len(points) > _MOST_NAMED:
        points = [replace(point, named=point.variant.verdict == "winner") for point in points]
    limits = {_limits(column, cost, last.metric) for column in drawn}
    wide, narrow = (
        pareto_svg(
            points,
            metric_axes(last)[last.metric],
            cost_axes(last)[cost],
            limits.pop() if len(limits) == 1 else None,
            width=width,
            ident=f"overlay-{width}",
        )
        for width in (WIDE, NARROW)
    )
    left_out = [column.letter for column in columns if column not in drawn]
    return Overlay(METRICS[last.metric].title, (wide, narrow), left_out)


def _counts(column: RunColumn, metric: str) -> bool:
    return column.board.decision is not None and column.board.decision.metric == metric


def _points(column: RunColumn, cost: str, metric: str) -> list[Point]:
    assert column.board.decision
    return [
        replace(
            point,
            variant=replace(point.variant, name=f"{column.letter} {point.variant.name}"),
            series=column.series,
        )
        for point in points_of(column.board.decision, cost, metric)
    ]


def _limits(column: RunColumn, cost: str, metric: str) -> BudgetLines:
    assert column.board.decision
    return limits_of(column.board.decision, column.board.decision.budgets, cost, metric)
