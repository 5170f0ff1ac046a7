"""Why two runs differ: whether only the data does, or what else; samples, steps and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.lineage.comparing.differences import Difference, differences
from pipelines.lineage.comparing.images import fates_of
from pipelines.lineage.comparing.metrics import MetricChanges, compare_metrics
from pipelines.lineage.comparing.samples import SampleChanges, compare_samples
from pipelines.lineage.comparing.sides import Side, side_of
from pipelines.lineage.comparing.steps import StepChanges, compare_steps
from pipelines.lineage.naming import Index
from pipelines.runs.cache import Cache
from pipelines.runs.leaderboard import leaderboard_of
from pipelines.runs.workspace import workspace_root
from pipelines.sources.snapshot import DATA
from pipelines.stores.store import Store


@dataclass(frozen=True)
class ComparedRun:
    """One of the two runs.

    Attributes:
        what: As it was named.
        run: Its identifier.
        started: ISO 8601, UTC.
        engine: Which engine ran it.
        actor: Who started it; empty where its record does not say.
    """

    what: str
    run: str
    started: str
    engine: str
    actor: str


@dataclass(frozen=True)
class WhyChanged:
    """What differs between two runs, and what follows from it.

    Attributes:
        summary: One sentence: that only the data differs, or what does.
        causes: What differs in what the runs were made of: ``data``, ``variants``, ``parameters``,
            ``threads``, ``code``, ``packages``, ``machine``, and other sources by their names, such
            as ``model``; empty where nothing does.
        before: The first run.
        now: The second.
        sources: Whose digest differs, with both.
        budgets: What else was asked for.
        samples: What differs in the images; null where that cannot be read, or a run read none.
        steps: What differs in the steps.
        metrics: What differs in what was measured; null where a run chose nothing.
        lacking: What could not be compared, in sentences.
    """

    summary: str
    causes: Sequence[str]
    before: ComparedRun
    now: ComparedRun
    sources: Sequence[Difference]
    budgets: Sequence[Difference]
    samples: SampleChanges | None
    steps: StepChanges
    metrics: MetricChanges | None
    lacking: Sequence[str]


def why_changed(store: Store, index: Index, before: str, now: str) -> WhyChanged:
    """Compare two runs.

    Args:
        store: Where they are.
        index: Of the store: it has read the manifests.
        before: What names the first: a run, a release or ``NAME@champion``.
        now: What names the second.

    Raises:
        UserError: They name no run, or a record is damaged.
    """
    one, other = side_of(store, index, before), side_of(store, index, now)
    cache = Cache(store, workspace_root(store))
    lacking: list[str] = []
    samples = _samples(cache, index, one, other, lacking)
    steps = compare_steps(store, one, other)
    sources = differences(one.record.sources, other.record.sources)
    causes = _causes(sources, steps)
    boards = [leaderboard_of(cache, side.record) for side in (one, other)]
    chosen = all(board.decision for board in boards)
    if not chosen:
        without = [b.record.run for b in boards if b.decision is None]
        lacking.append(f"nothing was chosen in {' and '.join(without)}: no numbers to compare")
    return WhyChanged(
        summary=_summary(causes, steps, samples),
        causes=causes,
        before=_compared(one),
        now=_compared(other),
        sources=sources,
        budgets=differences(one.record.budgets, other.record.budgets),
        samples=samples,
        steps=steps,
        metrics=compare_metrics(boards[0], boards[1]) if chosen else None,
        lacking=[*lacking, *steps.lacking],
    )


def _compared(side: Side) -> ComparedRun:
    record = side.record
    return ComparedRun(side.what, record.run, record.started, record.engine, record.actor)


# what is said first -----------------------------------------------------------------------------


def _causes(sources: Sequence[Difference], steps: StepChanges) -> list[str]:
    """Return what differs in what the runs were made of, and not only as something else does."""
    changed, names = steps.changed, [item.what for item in sources]
    found = {
        DATA: DATA in names or (not names and any(one.sources for one in changed)),
        **dict.fromkeys(names, True),
        "variants": bool(steps.added or steps.removed),
        "parameters": any(one.parameters for one in changed),
        "threads": any(one.threads for one in changed),
        "code": any(one.code for one in changed),
        "packages": any(one.packages for one in changed),
        "machine": any(one.machine for one in changed),
    }
    return [name for name, differs in found.items() if differs]


def _summary(causes: Sequence[str], steps: StepChanges, samples: SampleChanges | None) -> str:
    if not causes:
        again = [one.step for one in steps.changed if one.unexplained]
        if again:
            return f"nothing that they were made of differs; {_named(again)} gave another result"
        return "nothing differs that the records tell of"
    if causes == [DATA]:
        same = " (and shows the same images)" if samples and not samples.any else ""
        return f"only the data differs{same}"
    return f"these differ: {', '.join(causes)}"


def _named(steps: Sequence[str]) -> str:
    more = f" and {len(steps) - 3} more steps" if len(steps) > 3 else ""
    return f"{', '.join(steps[:3])}{more}"


def _samples(
    cache: Cache, index: Index, one: Side, other: Side, lacking: list[str]
) -> SampleChanges | None:
    """Compare the images of two runs; None where that cannot be done, which is said."""
    fates = [fates_of(cache, index, side, lacking) for side in (one, other)]
    if fates[0] is None or fates[1] is None:
        return None
    return compare_samples(fates[0], fates[1])
