"""The gate: whether a challenger may take the champion's place.

Everything that speaks against it is gathered before it says no, or that it cannot decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from components.artifacts.budgets import Budgets
from components.measure.paired import Answers, Reference, failure_of
from components.selection.floors import floor_breaches, floor_doubt
from components.statistics.bootstrap import Interval
from components.statistics.quantities import decimal, exact_places, with_interval
from components.statistics.resampling import Resampling
from pipelines.config.releases import GateSection
from pipelines.releases.comparing import Compared, compare, comparison_id
from pipelines.releases.gate_finding import WORN, CannotDecideError, GateFinding
from pipelines.releases.interface_changes import interface_changes, interface_remarks
from pipelines.releases.on_devices import held_on_devices
from pipelines.releases.published import PublishedRelease
from pipelines.releases.unseen import Unseen, unseen
from pipelines.runs.cache import Cache
from pipelines.runs.ledger import open_sealed, times_opened
from pipelines.sources.snapshot import ANSWERS, MODEL, WEIGHTS

_ELSEWHERE = {MODEL, ANSWERS, WEIGHTS}
"""Sources that were trained on images which no manifest names."""


@dataclass
class _Notes:
    """What is found on the way."""

    against: list[str] = field(default_factory=list[str])
    doubts: list[str] = field(default_factory=list[str])
    remarks: list[str] = field(default_factory=list[str])


def judge(
    cache: Cache,
    challenger: PublishedRelease,
    champion: PublishedRelease | None,
    settings: GateSection,
) -> GateFinding:
    """Decide whether a challenger may take the champion's place.

    Args:
        cache: The store.
        challenger: Who may become the champion.
        champion: Who is; None where nobody is, when to qualify is enough.
        settings: What has to be shown.

    Raises:
        UserError: LiteRT is not installed, or the store cannot be used.
    """
    notes = _Notes()
    qualified, reasons = challenger.qualified
    if not qualified:
        notes.against += [f"it does not qualify: {reason}" for reason in reasons]
    notes.doubts += _unjudged_files(challenger)
    if challenger.record and challenger.record.outcome != "done":
        notes.doubts.append(
            f"the run {challenger.run} did not end well: {challenger.record.outcome}"
        )
    if champion is None:
        shown = ("there is no champion yet, and it qualifies", *reasons)
        return _finding(notes, shown, {})
    changes = interface_changes(champion.manifest, challenger.manifest)
    notes.against += [f"apps would have to change: {change}" for change in changes]
    notes.remarks += interface_remarks(champion.manifest, challenger.manifest)
    notes.remarks += [
        f"the teacher of {one} is from elsewhere ({', '.join(foreign)}): nobody here knows which "
        "images it was trained on"
        for one in (challenger, champion)
        if (foreign := sorted(_ELSEWHERE & (one.record.sources if one.record else {}).keys()))
    ]
    found: dict[str, Any] = {"champion": champion.release, "limit": settings.drop}
    shown: tuple[str, ...] = ()
    try:
        _hold_against_budgets(notes, challenger, champion)
        if notes.against:  # the sealed images are not opened for what is settled already
            return _finding(notes, shown, found)
        judging = unseen(cache, challenger, champion)
        found |= {"images": len(judging.rows), "left_out": judging.left_out}
        _check_enough(judging, settings)
        found["opened"] = _open(cache, challenger, champion)
        if found["opened"] > WORN:
            notes.remarks.append(
                f"the sealed images are worn: {found['opened']} runs and comparisons have looked "
                "at them; new data makes new ones"
            )
        compared = compare(cache, challenger, champion, judging)
        drop = _hold_against_champion(notes, compared, challenger, champion, settings)
        found |= {"metric": _metric(challenger), "drop": drop, "reports": compared.reports}
        if drop:
            metric, count = found["metric"], len(judging.rows)
            sentence = (
                f"{metric} drops by {with_interval(drop)} against the champion on {count} sealed "
                f"images, and {_exact(settings.drop)} may be lost"
            )
            shown = (sentence,)
    except CannotDecideError as error:
        notes.doubts.append(error.reason)
    return _finding(notes, shown, found)


def _finding(notes: _Notes, shown: tuple[str, ...], found: Mapping[str, Any]) -> GateFinding:
    remarks = tuple(notes.remarks)
    if notes.against:
        return GateFinding("no", (*notes.against, *notes.doubts), remarks, **found)
    if notes.doubts:
        return GateFinding("cannot decide", tuple(notes.doubts), remarks, **found)
    return GateFinding("yes", shown, remarks, **found)


def _unjudged_files(challenger: PublishedRelease) -> Iterator[str]:
    """Name each model file of a release that is not the one that its run measured."""
    judged = challenger.manifest.get("sha256")
    models = challenger.models
    if not any(entry.sha256 == judged for entry in models):
        yield f"the model that {challenger} was measured with is not among its files"
    for entry in models:
        if entry.sha256 != judged:
            yield f"{entry.path} is no file that its run measured on the sealed images"


def _hold_against_budgets(
    notes: _Notes, challenger: PublishedRelease, champion: PublishedRelease
) -> None:
    """Hold size and latency against what the champion had to keep."""
    budgets = _budgets(champion)
    size = sum(entry.size_bytes for entry in challenger.models)
    before = sum(entry.size_bytes for entry in champion.models)
    if budgets.size_bytes is not None and size > budgets.size_bytes:
        notes.against.append(
            f"its {size:,} bytes exceed the {budgets.size_bytes:,} that the champion had to keep"
        )
    if size > before:
        notes.remarks.append(f"it is larger than the champion: {size:,} bytes after {before:,}")
    against, doubts = held_on_devices(challenger.manifest, champion.manifest, budgets)
    notes.against += against
    notes.doubts += doubts


def _hold_against_champion(
    notes: _Notes,
    compared: Compared,
    challenger: PublishedRelease,
    champion: PublishedRelease,
    settings: GateSection,
) -> Interval | None:
    """Note what speaks against the challenger on the sealed images; return the paired drop."""
    evaluation, answers = compared.challenger
    if failure := failure_of(evaluation, answers):
        notes.against.append(f"on the sealed images it {failure}")
        return None
    if failure := failure_of(*compared.champion):
        notes.doubts.append(f"the champion cannot be compared with: it {failure}")
        return None
    reference = compared.champion[1]
    assert answers
    assert reference
    metric = _metric(challenger)
    for side in (answers, reference):
        if missing := side.evaluation.unmeasured.get(metric):
            notes.doubts.append(f"these images give no {metric}: {missing}")
            return None
    drop = _drop(reference, answers, metric, compared.parameters)
    if drop.high > settings.drop:
        verb = "loses" if drop.low > settings.drop else "may lose"
        notes.against.append(
            f"it {verb} more than {_exact(settings.drop)} of {metric} against the champion: "
            f"{with_interval(drop)}"
        )
    for one in (challenger, champion):
        budgets = _budgets(one)
        which = "its own" if one is challenger else "the champion's"
        breaches = floor_breaches(evaluation.metrics, evaluation.groups, budgets)
        notes.against += [f"{which} floors: {breach.text}" for breach in breaches]
        if doubt := floor_doubt(evaluation.metrics, evaluation.groups, budgets):
            notes.doubts.append(f"{which} floors: {doubt}")
    notes.against += _worse_groups(reference, answers, metric, settings)
    return drop


def _worse_groups(
    reference: Answers,
    answers: Answers,
    metric: str,
    settings: GateSection,
) -> Iterator[str]:
    """Name each group of images on which the challenger is certainly worse."""
    champions = reference.evaluation.groups
    for name, group in answers.evaluation.groups.items():
        now = group.metrics.get(metric)
        before = champions[name].metrics.get(metric) if name in champions else None
        # The intervals of the two do not overlap even after the loss that is allowed.
        if now and before and before.low - now.high > settings.drop:
            yield (
                f"on the group {name!r} {metric} falls from {with_interval(before)} to "
                f"{with_interval(now)}"
            )


def _drop(
    reference: Answers, answers: Answers, metric: str, parameters: Mapping[str, Any]
) -> Interval:
    resampling = Resampling(
        resamples=parameters["resamples"],
        confidence=parameters["confidence"],
        seed=parameters["seed"],
    )
    if not np.array_equal(reference.labels_n, answers.labels_n):
        raise CannotDecideError("the two were not evaluated on the same images")
    return Reference.of(reference, metric, resampling).drop_of(answers)


def _check_enough(judging: Unseen, settings: GateSection) -> None:
    """Refuse to decide by too few images.

    Raises:
        CannotDecideError: There are fewer than ``gate.least_images``.
    """
    if len(judging.rows) < settings.least_images:
        seen = f" ({judging.left_out} others were seen)" if judging.left_out else ""
        raise CannotDecideError(
            f"{len(judging.rows)} sealed images are left that neither model's data shows outside "
            f"of sealed{seen}, and gate.least_images asks for {settings.least_images}: more data, "
            "or a larger share of sealed under split"
        )


def _open(cache: Cache, challenger: PublishedRelease, champion: PublishedRelease) -> int:
    """Note in the ledger that the sealed images are looked at; return how often they were."""
    sealed = challenger.output("ingest", "sealed")
    assert sealed, "its run has a manifest"
    open_sealed(cache.store, sealed, comparison_id(challenger, champion), "evaluate-champion")
    return times_opened(cache.store, sealed)


def _metric(published: PublishedRelease) -> str:
    return _budgets(published).metric


def _budgets(published: PublishedRelease) -> Budgets:
    """Return the budgets of a manifest.

    Raises:
        CannotDecideError: It is of a version that did not say them.
    """
    known = {item.name for item in fields(Budgets)}
    try:
        given: Mapping[str, Any] = published.manifest["budgets"]
        return Budgets(**{key: value for key, value in given.items() if key in known})
    except (LookupError, TypeError, AttributeError):
        raise CannotDecideError(f"the manifest of {published} does not say its budgets") from None


def _exact(number: float) -> str:
    return decimal(number, exact_places(number))
