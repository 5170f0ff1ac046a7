"""The leaderboard page: one HTML file with its pictures, which loads nothing and runs no script."""

from __future__ import annotations

from dataclasses import dataclass

from components.artifacts.decision import Candidate, Decision
from components.measure.paired import Answers
from components.pages.charts.gallery import (
    answer_pictures,
    drop_bars,
    latency_pictures,
    marks,
    pareto_pictures,
)
from components.pages.figures import figure_table
from components.pages.groups import GroupTable, group_table, shown_variant
from components.pages.method import method
from components.pages.templates import render
from components.pages.words import budgets_in_words, count, ends_ms, percent
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    decimal,
    exact_places,
    megabytes,
    milliseconds,
    ratio,
    short_bytes,
    whole_bytes,
)

_ORDER = ("winner", "kept", "undecided", "over-budget", "failed", "comparison", "reference")


@dataclass(frozen=True)
class Tile:
    """One number of the winner.

    Attributes:
        title: What it is.
        value: The number.
        used: Which part of its budget it takes, in percent of a bar; None without a budget.
        lines: What has to be said with it.
    """

    title: str
    value: str
    used: int | None
    lines: tuple[str, ...]


def leaderboard_page(
    decision: Decision,
    reference: Answers | None = None,
    other: tuple[str, Answers] | None = None,
) -> str:
    """Return the page.

    Args:
        decision: What was found and chosen.
        reference: What the reference answered; None after a crash.
        other: Name and answers of the winner, or of the nearest miss, to draw beside it.
    """
    winner = decision.variant(decision.winner) if decision.winner else None
    return render(
        "leaderboard.html",
        title=f"{winner.name if winner else 'No winner'} - slimline",
        decision=decision,
        winner=winner,
        metric=METRICS[decision.metric],
        tiles=_tiles(decision, winner) if winner else [],
        budgets_sentence=f"Asked for: {budgets_in_words(decision.budgets)}.",
        callouts=_callouts(decision),
        rows=sorted(decision.variants, key=_place),
        board_note=_board_note(decision),
        bars=drop_bars(decision),
        ratios={row.name: _ratio(decision, row) for row in decision.variants},
        pareto=pareto_pictures(decision),
        pareto_note=_pareto_note(decision),
        key=marks(decision),
        latency=latency_pictures(decision),
        answers=answer_pictures(decision, reference, other),
        figures=figure_table(decision),
        groups=_groups(decision),
        facts=method(decision),
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


def _tiles(decision: Decision, winner: Candidate) -> list[Tile]:
    budgets, reference = decision.budgets, decision.variant(decision.reference)
    tiles = [_size_tile(decision, winner)]
    if winner.drop and winner.metric:
        title = METRICS[decision.metric].title
        before = f"{decimal(reference.metric.value)} to " if reference.metric else ""
        allowed = decimal(budgets.drop, exact_places(budgets.drop))
        tiles.append(
            Tile(
                f"Drop of {title}",
                decimal(winner.drop.value),
                _used(winner.drop.high, budgets.drop),
                (
                    f"up to {decimal(winner.drop.high)}; budget {allowed}",
                    f"{title} {before}{decimal(winner.metric.value)}",
                ),
            )
        )
    for device, timing in winner.latency.items():
        if timing.p50_ms:
            limit = budgets.latency_ms
            tiles.append(
                Tile(
                    f"Median latency on {device}",
                    milliseconds(timing.p50_ms.value),
                    _used(timing.p50_ms.high, limit),
                    (
                        f"{ends_ms(timing.p50_ms)}"
                        + (f"; budget {milliseconds(limit)}" if limit else "; no budget"),
                        count(decision.devices[device].threads, "thread"),
                    ),
                )
            )
    if winner.peak_memory_bytes is not None:
        tiles.append(
            Tile(
                "Peak memory",
                short_bytes(winner.peak_memory_bytes),
                None,
                ("above the runtime's own baseline",),
            )
        )
    return tiles


def _size_tile(decision: Decision, winner: Candidate) -> Tile:
    limit = decision.budgets.size_bytes
    size = winner.file_bytes
    lines = [whole_bytes(size) + (f"; budget {megabytes(limit)}" if limit else "")]
    whole = decision.variant(decision.reference).size_bytes
    if winner.name != decision.reference and whole is not None and size < whole:
        lines.append(
            f"{ratio(whole / size)} smaller than {decision.reference} ({short_bytes(whole)})"
        )
    return Tile("File", short_bytes(size), _used(size, limit), tuple(lines))


def _used(value: float, limit: float | None) -> int | None:
    """Return which part of a budget is used, 0 to 100."""
    if limit is None:
        return None
    return round(100 * min(1.0, max(0.0, value / limit))) if limit else 100


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
    disturbed = [row.name for row in undecided if row.reason.startswith("disturbed")]
    found += [
        ("undecided", "Undecided.", f"{row.name}: {row.reason}")
        for row in undecided
        if row.name not in disturbed
    ]
    if disturbed:
        found.append(
            (
                "undecided",
                "Undecided.",
                f"{', '.join(disturbed)}: run again on a quiet machine to let them compete",
            )
        )
    return found


def _pareto_note(decision: Decision) -> str:
    missing = [row.name for row in decision.variants if not row.metric or row.size_bytes is None]
    note = (
        "The allowed drop is drawn below the reference's own value; the verdict rests on the "
        "paired drop in the table."
    )
    return f"{note} Not drawn: {', '.join(missing)}." if missing else note
