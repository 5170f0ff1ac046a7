"""Figures: every metric of every variant, beside the baseline and guessing, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.artifacts.decision import Decision
from components.artifacts.pair_list import PairListResult
from components.pages.words import ends
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.one_shot import OneShotTask
from components.statistics.quantities import decimal


@dataclass(frozen=True)
class FigureTable:
    """All metrics as a table.

    Attributes:
        heads: Title of each metric.
        rows: Name, and for each metric its value and the ends of its interval, in words.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def figure_table(decision: Decision) -> FigureTable:
    """Return every metric of every variant, of the baseline and of guessing."""
    trivial = decision.baseline
    measured = [one.metrics for one in decision.variants] + ([trivial.metrics] if trivial else [])
    names = [name for name in METRICS if any(name in metrics for metrics in measured)]
    task = decision.split.one_shot
    rows = [(one.name, one.metrics) for one in decision.variants]
    if trivial:
        rows.append((trivial.name, trivial.metrics))
    shown = [(name, tuple(_cell(metrics.get(key)) for key in names)) for name, metrics in rows]
    if task and "one_shot" in names:
        guesses = {"one_shot": decimal(task.chance)}
        shown.append(("guessing", tuple((guesses.get(name, "\N{EN DASH}"), "") for name in names)))
    return FigureTable(tuple(title_of(name, task) for name in names), tuple(shown))


def title_of(metric: str, task: OneShotTask | None) -> str:
    """Return what a metric is called where the trials of one shot are known."""
    title = METRICS[metric].title
    return f"{task.ways}-way {title}" if task and metric == "one_shot" else title


def trials_and_gaps(
    task: OneShotTask | None, unmeasured: Mapping[str, str], split: str
) -> list[tuple[str, str]]:
    """Say how one-shot trials were made, and which metrics a split cannot give: headings and text.

    Args:
        task: The trials, where there are some.
        unmeasured: Metrics that do not exist, each with the reason.
        split: Where.
    """
    found: list[tuple[str, str]] = []
    if task:
        found.append((f"One-shot trials, {split}", f"{task.sentence}."))
    for name, reason in unmeasured.items():
        found.append((f"No {METRICS[name].title}, {split}", f"{reason[:1].upper()}{reason[1:]}."))
    return found


def listed_pairs(
    results: Mapping[str, PairListResult | None],
) -> list[tuple[str, str]]:
    """Say what was reached on the pairs that the user lists: one heading and text, or none.

    Args:
        results: By name of who was measured.
    """
    known = {name: found for name, found in results.items() if found}
    if not known:
        return []
    first = next(iter(known.values()))
    reached = ", ".join(f"{name} {found.figure}" for name, found in known.items())
    return [(f"Accuracy on {first.name}", f"{reached}. {first.sentence}.")]


def _cell(interval: Interval | None) -> tuple[str, str]:
    return (decimal(interval.value), ends(interval)) if interval else ("\N{EN DASH}", "")
