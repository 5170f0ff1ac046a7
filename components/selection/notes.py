"""Notes: what a reader of a decision must know, though it decides nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator

from components.artifacts.decision import BaselineCheck, Candidate
from components.selection.controls import control_notes
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import whole_bytes, with_interval

_NAMED_MOST = 5


def notes_of(
    winner: Candidate | None,
    variants: tuple[Candidate, ...],
    *,
    reference: str,
    metric: str,
    baseline: BaselineCheck | None,
    ungrouped: int,
) -> Iterator[str]:
    """Yield one sentence a note, without a full stop.

    Args:
        winner: Who won, if anybody.
        variants: All of them.
        reference: Name of the one that drops are taken against.
        metric: The one that counts.
        baseline: Names the trivial answer.
        ungrouped: Images that belong to no group.
    """
    title = METRICS[metric].title
    better = [
        f"{one.name} by {with_interval(_less(one))}"
        for one in variants
        if one.drop and one.drop.high < 0 and _is_student(one)
    ]
    if better:
        yield (
            f"better than {reference}, for certain: {', '.join(better)} of {title}. A student that "
            f"surpasses its teacher shows that the teacher is undertrained: train {reference} "
            "longer, or with better settings, before a small drop against it means much"
        )
    if winner and not winner.leads:
        assert winner.lead
        name = baseline.name if baseline else "the trivial answer"
        yield (
            f"{winner.name} is not certainly better than {name}: ahead by "
            f"{with_interval(winner.lead)} of {title}. It does not qualify for a release"
        )
    yield from _warnings(variants)
    yield from control_notes(variants, metric)
    yield from _baselines(winner, variants, reference, title)
    yield from _groups(winner or variants[0], ungrouped)


def _baselines(
    winner: Candidate | None, variants: tuple[Candidate, ...], reference: str, title: str
) -> Iterator[str]:
    """Say where a model that is measured for comparison alone would do as well."""
    for one in variants:
        if one.verdict != "comparison" or one.drop is None or not _is_linear(one):
            continue
        if one.drop.low <= 0:
            yield (
                f"{reference} is not certainly better than {one.name}, "
                f"{whole_bytes(one.file_bytes)}: ahead by {with_interval(one.drop)} of {title}. "
                "These images cannot show what a network is worth"
            )
        if one.excess == 0 and (winner is None or one.file_bytes < winner.file_bytes):
            than = f", and is smaller than {winner.name}" if winner else ""
            yield (
                f"{one.name} keeps every budget, too{than} ({whole_bytes(one.file_bytes)}): list "
                "it among the variants to let it win"
            )


def _is_linear(one: Candidate) -> bool:
    return any(step.get("backbone") == "linear" for step in one.steps)


def _warnings(variants: tuple[Candidate, ...]) -> Iterator[str]:
    """Say what holds for the files of some variants, those with the same warning together."""
    found: dict[str, list[str]] = {}
    for one in variants:
        for warning in one.warnings:
            found.setdefault(warning, []).append(one.name)
    for warning, names in found.items():
        yield f"{', '.join(names)}: {warning}"


def _less(one: Candidate) -> Interval:
    assert one.drop
    return Interval(-one.drop.value, -one.drop.high, -one.drop.low)


def _is_student(one: Candidate) -> bool:
    return any(step.get("component") == "distill" for step in one.steps)


def _groups(shown: Candidate, ungrouped: int) -> Iterator[str]:
    """Say which groups could not be measured, and how many images belong to none."""
    unknown = {
        group: next(iter(result.unmeasured.values()))
        for group, result in shown.groups.items()
        if not result.metrics
    }
    if unknown:
        named = [f"{group} ({reason})" for group, reason in list(unknown.items())[:_NAMED_MOST]]
        more = len(unknown) - len(named)
        yield (
            f"{len(unknown)} of {len(shown.groups)} groups could not be measured: "
            f"{', '.join(named)}{f' and {more} more' if more else ''}"
        )
    if shown.groups and ungrouped:
        yield f"{ungrouped:,} images belong to no group"
