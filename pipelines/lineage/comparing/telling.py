"""Why two runs differ, in sentences: what a terminal and a page say alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from components.statistics.bootstrap import Interval
from components.statistics.quantities import short_bytes, short_time, significant
from pipelines.lineage.comparing.differences import Difference
from pipelines.lineage.comparing.metrics import Figure
from pipelines.lineage.comparing.samples import ImageChange, SampleChanges
from pipelines.lineage.comparing.steps import StepChange, StepChanges
from pipelines.lineage.comparing.why import WhyChanged

MOST = 20
"""Names of images, and figures, that are shown where not all are asked for."""

_Item = TypeVar("_Item")


def lines_of(answer: WhyChanged, most: int | None = MOST) -> Iterator[str]:
    """Yield the lines of an answer, the figures left out.

    Args:
        answer: What differs.
        most: How many names each line lists; None lists all.
    """
    yield answer.summary
    for which, run in (("first", answer.before), ("second", answer.now)):
        actor = f" by {run.actor}" if run.actor else ""
        yield f"{which}: {run.run}, started {run.started}{actor}"
    for item in answer.sources:
        yield f"source {item.what}: {_digits(item.before)} -> {_digits(item.now)}"
    yield from (f"budget {difference_in_words(item)}" for item in answer.budgets)
    if answer.samples:
        yield from samples_in_words(answer.samples, most, rest=" (--all)")
    yield from steps_in_words(answer.steps)
    if answer.metrics:
        one, other = (name or "none" for name in answer.metrics.winner)
        yield f"winner: {one}" if one == other else f"winner: {one} -> {other}"
    yield from (f"note: {sentence}" for sentence in answer.lacking)


def _digits(value: object) -> str:
    return value[:8] if isinstance(value, str) else "none"


# images -----------------------------------------------------------------------------------------


def samples_in_words(
    samples: SampleChanges, most: int | None = MOST, *, rest: str = ""
) -> Iterator[str]:
    """Yield what differs in the images, line by line.

    Args:
        samples: What differs.
        most: How many names each line lists; None lists all.
        rest: Where the others are listed, behind their number.
    """
    yield f"images: {samples.before:,} -> {samples.now:,}"
    if not samples.any:
        yield "  the same images, with the same labels, in the same splits"
    yield from _listed("added", samples.added, str, most, rest)
    yield from _listed("removed", samples.removed, str, most, rest)
    yield from _listed("relabelled", samples.relabelled, _changed, most, rest)
    yield from _listed("moved", samples.moved, _changed, most, rest)
    yield from _listed("quarantined", samples.quarantined, _because, most, rest)
    yield from _listed("no longer quarantined", samples.restored, str, most, rest)
    yield from _listed("replaced by other pixels", samples.replaced, str, most, rest)
    yield from _listed("renamed", samples.renamed, _changed_name, most, rest)


def _changed(item: ImageChange) -> str:
    return f"{item.name} ({item.before} -> {item.now})"


def _changed_name(item: ImageChange) -> str:
    return f"{item.before} -> {item.now}"


def _because(item: ImageChange) -> str:
    return f"{item.name} ({item.now})" if item.now else item.name


def _listed(
    what: str, items: Sequence[_Item], shown: Callable[[_Item], str], most: int | None, rest: str
) -> Iterator[str]:
    if not items:
        return
    names = ", ".join(shown(item) for item in items[:most])
    more = len(items) - len(items[:most])
    yield f"  {what} {len(items):,}: {names}{f' and {more:,} more{rest}' if more else ''}"


# steps ------------------------------------------------------------------------------------------


def steps_in_words(steps: StepChanges) -> Iterator[str]:
    """Yield what differs in the steps, line by line."""
    yield f"steps: {steps.same} made of the same, {len(steps.changed)} of something else"
    yield from (f"  {_step(one)}" for one in steps.changed if one.own or one.sources)
    again = [one.step for one in steps.changed if one.unexplained]
    after = [one for one in steps.changed if not (one.own or one.sources or one.unexplained)]
    if after:
        yield f"  only what steps before gave differs: {', '.join(one.step for one in after)}"
    if again:
        yield f"  another result of the same: {', '.join(again)}"
    if steps.added:
        yield f"  only in the second: {', '.join(steps.added)}"
    if steps.removed:
        yield f"  only in the first: {', '.join(steps.removed)}"


def _step(change: StepChange) -> str:
    kinds = (
        ("", change.parameters), ("", change.threads), ("code ", change.code),
        ("package ", change.packages), ("machine ", change.machine),
    )  # fmt: skip
    parts = [f"{kind}{difference_in_words(item)}" for kind, items in kinds for item in items]
    parts += [f"other files in {name}" for name in change.sources]
    name = change.step if change.step == change.before else f"{change.before} -> {change.step}"
    return f"{name}: {'; '.join(parts)}"


def difference_in_words(item: Difference) -> str:
    """Say what something was, and what it is."""
    return f"{item.what} {_value(item.before)} -> {_value(item.now)}"


def _value(value: object) -> str:
    return "none" if value is None else str(value)


# figures ----------------------------------------------------------------------------------------


def figure_in_words(figure: Figure, value: Interval | None) -> str:
    """Write a number of a variant with its interval."""
    if value is None:
        return "not measured"
    if figure.figure == "size_bytes":
        return short_bytes(value.value)
    if figure.figure.startswith("p50_ms"):
        return f"{short_time(value.value)} ({short_time(value.low)} to {short_time(value.high)})"
    low, high = significant(value.low), significant(value.high)
    return f"{significant(value.value)} ({low} to {high})"
