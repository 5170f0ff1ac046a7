"""The leaderboard page: one HTML file with its pictures, which loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.artifacts.decision import Candidate, Decision, Verdict
from components.artifacts.making import Making
from components.artifacts.report_material import DrawnPicture, ReportMaterial
from components.artifacts.search_front import SearchFront
from components.measure.paired import Answers
from components.pages.charts.gallery import (
    answer_pictures,
    drop_bars,
    drop_pictures,
    latency_pictures,
    marks,
    pareto_pictures,
)
from components.pages.device_files import DeviceFileRow
from components.pages.figures import FigureTable, figure_table
from components.pages.groups import GroupTable, group_table, shown_variant
from components.pages.made import made_of
from components.pages.measurements import (
    DeviceTable,
    LimitedColumn,
    device_tables,
    limited_columns,
    timed_devices,
)
from components.pages.method import method
from components.pages.outcome import Banner, SealedVerdict, outcome_of
from components.pages.rankings import RankingTable, ranking_table
from components.pages.search_front import shown_front
from components.pages.templates import render
from components.pages.words import percent
from components.statistics.metrics import METRICS, Metric
from components.statistics.quantities import ratio

_ORDER = ("winner", "kept", "undecided", "over-budget", "failed", "comparison", "reference")


def material_of(
    decision: Decision,
    makings: Mapping[str, Making],
    reference: Answers | None = None,
    other: tuple[str, Answers] | None = None,
    *,
    search: SearchFront | None = None,
) -> ReportMaterial:
    """Return what the page shows beside the decision.

    Args:
        decision: What was found and chosen.
        makings: How each file came about, by name, as far as that is known.
        reference: What the reference answered; None after a crash.
        other: Name and answers of the winner, or of the nearest miss, to draw beside it.
        search: What the architecture search of the run found, where there was one.
    """
    drawn = answer_pictures(decision, reference, other)
    return ReportMaterial(
        answers=tuple(DrawnPicture(one.title, one.note, str(one.drawing)) for one in drawn),
        makings=makings,
        search=search,
    )


def leaderboard_page(
    decision: Decision,
    material: ReportMaterial,
    sealed: SealedVerdict | None = None,
    files: Sequence[DeviceFileRow] = (),
) -> str:
    """Return the page.

    Args:
        decision: What was found and chosen.
        material: What ``material_of`` gave.
        sealed: What the sealed images say of the winner; None before they are opened.
        files: Where devices have files of their own, those, and the devices without one.
    """
    board = board_of(decision, sealed)
    called = board.outcome.verdicts
    heading = board.outcome.heading if decision.winner else "No winner"
    return render(
        "leaderboard.html",
        title=f"{heading} - slimline",
        board=board,
        files=files,
        pareto=pareto_pictures(decision, called=called),
        pareto_gzip=pareto_pictures(decision, compressed=True, called=called),
        pareto_note=_pareto_note(decision),
        # Drawn by ``material_of``, which escapes every text; the file is select's own.
        answers=[(one.title, one.note, Markup(one.svg)) for one in material.answers],  # noqa: S704
        made=made_of(decision, material.makings),
        search=shown_front(material.search) if material.search else None,
    )


@dataclass(frozen=True)
class Board:
    """What a page says of a decision, wherever it is shown.

    Attributes:
        decision: What was found and chosen.
        outcome: The banner.
        metric: The one that counts.
        callouts: What a reader must not miss: tone, heading and sentence.
        rows: The variants, in the order of the table.
        note: Says what the table shows.
        bars: By name of a variant its drop as a small bar.
        ratios: By name how its file compares with the reference's.
        key: The marks of the Pareto picture.
        drops: Drops as they are judged, for desks and for phones.
        latency: Medians, for desks and for phones.
        figures: All metrics.
        groups: The worst groups of the winner, or of the nearest miss.
        facts: What was measured, and how.
        measurements: What was measured on each device besides.
        rankings: Where devices rank variants differently; None with fewer than two of them.
        timed: Devices that have a column of medians.
        limited: Columns of other numbers of devices, which budgets limit.
    """

    decision: Decision
    outcome: Banner
    metric: Metric
    callouts: Sequence[tuple[str, str, str]]
    rows: Sequence[Candidate]
    note: str
    bars: Mapping[str, Markup]
    ratios: Mapping[str, str]
    key: Sequence[tuple[Markup, Verdict]]
    drops: tuple[Markup, Markup] | None
    latency: tuple[Markup, Markup] | None
    figures: FigureTable
    groups: GroupTable | None
    facts: Sequence[tuple[str, str]]
    measurements: Sequence[DeviceTable]
    rankings: RankingTable | None
    timed: Sequence[str]
    limited: Sequence[LimitedColumn]


def board_of(decision: Decision, sealed: SealedVerdict | None = None) -> Board:
    """Return what a page says of a decision.

    Args:
        decision: What was found and chosen.
        sealed: What the sealed images say of the winner; None before they are opened.
    """
    rows = sorted(decision.variants, key=_place)
    return Board(
        decision=decision,
        outcome=outcome_of(decision, sealed),
        metric=METRICS[decision.metric],
        callouts=_callouts(decision),
        rows=rows,
        note=_board_note(decision),
        bars=drop_bars(decision),
        ratios={row.name: _ratio(decision, row) for row in decision.variants},
        key=marks(decision),
        drops=drop_pictures(rows, decision, sealed.row if sealed else None),
        latency=latency_pictures(decision),
        figures=figure_table(decision),
        groups=_groups(decision),
        facts=method(decision),
        measurements=device_tables(decision, rows),
        rankings=ranking_table(decision),
        timed=timed_devices(decision),
        limited=limited_columns(decision),
    )


def _groups(decision: Decision) -> GroupTable | None:
    shown = decision.variant(shown_variant(decision))
    return group_table(shown.groups, shown.name, decision.metric)


def _place(row: Candidate) -> tuple[int, float, int, str]:
    """Winner first, reference last; within a verdict the nearest to winning."""
    return _ORDER.index(row.verdict), row.excess, row.size_bytes or 0, row.name


def _board_note(decision: Decision) -> str:
    return (
        f"{len(decision.variants)} variants on {decision.split.n_images:,} images of the "
        f"{decision.split.name} split. Small print: {percent(decision.confidence)} intervals. The "
        f"drop is against {decision.reference}, on common resamples; the dashed line is its budget."
    )


def _ratio(decision: Decision, row: Candidate) -> str:
    """Say how the file compares with the reference's."""
    whole, size = decision.variant(decision.reference).size_bytes, row.size_bytes
    if row.name == decision.reference:
        return f"{row.parameters:,} parameters" if row.parameters is not None else ""
    if whole is None or size is None:
        return ""
    return f"{ratio(whole / size)} smaller" if size <= whole else f"{ratio(size / whole)} larger"


_AGAIN = {
    "disturbed": "run again on a quiet machine",
    "not measured": "measure the file of that sha256, add it to the measurements, and run again",
    "throttled": "run again with --remeasure when the device has cooled down",
}
"""What helps a variant whose reason begins so."""


def _callouts(decision: Decision) -> list[tuple[str, str, str]]:
    """Return what a reader must not miss: tone, heading and sentence."""
    warnings = decision.images.warnings if decision.images else ()
    found = [("failed", "Look at the data.", warning) for warning in warnings]
    if decision.baseline and not decision.baseline.reference_above:
        found.append(("failed", "A weak reference.", decision.baseline.note))
    if decision.variant(decision.reference).metric is None:
        reason = decision.variant(decision.reference).reason
        found.append(("failed", "No reference.", f"{decision.reference}: {reason}"))
    found += [("undecided", "Note.", note) for note in decision.notes]
    undecided = [row for row in decision.variants if row.verdict == "undecided"]
    again = {
        begins: [row.name for row in undecided if row.reason.startswith(begins)]
        for begins in _AGAIN
    }
    found += [
        ("undecided", "Undecided.", f"{row.name}: {row.reason}")
        for row in undecided
        if not any(row.name in names for names in again.values())
    ]
    found += [
        ("undecided", "Undecided.", f"{', '.join(names)}: {_AGAIN[begins]} to let them compete")
        for begins, names in again.items()
        if names
    ]
    return found


def _pareto_note(decision: Decision) -> str:
    missing = [row.name for row in decision.variants if not row.metric or row.size_bytes is None]
    note = (
        "The allowed drop is drawn below the reference's own value; the verdict rests on the "
        "paired drop in the table."
    )
    return f"{note} Not drawn: {', '.join(missing)}." if missing else note
