"""The gate: whether a challenger may take the champion's place.

Everything that speaks against it is gathered before it says no, or that it cannot decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from components.artifacts.released_files import devices_of, files_in
from components.measure.paired import Answers, Reference, failure_of
from components.selection.floors import floor_breaches, floor_doubt
from components.statistics.bootstrap import Interval
from components.statistics.quantities import with_interval
from components.statistics.resampling import Resampling
from pipelines.config.releases import GateSection
from pipelines.releases.budget_checks import budget_checks, budgets_in, exact
from pipelines.releases.comparing import Compared, compare, comparison_id
from pipelines.releases.gate_finding import WORN, CannotDecideError, GateFinding
from pipelines.releases.interface_changes import interface_changes, interface_remarks
from pipelines.releases.pairs import FilePair, lost_devices, new_devices, pairs_of
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
    pairs = pairs_of(challenger, champion)
    _compare_interfaces(notes, pairs, challenger, champion)
    notes.remarks += [
        f"the teacher of {one} is from elsewhere ({', '.join(foreign)}): nobody here knows which "
        "images it was trained on"
        for one in (challenger, champion)
        if (foreign := sorted(_ELSEWHERE & (one.record.sources if one.record else {}).keys()))
    ]
    found: dict[str, Any] = {"champion": champion.release, "limit": settings.drop}
    shown: tuple[str, ...] = ()
    try:
        _hold_against_budgets(notes, pairs, challenger, champion)
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
        found["metric"] = budgets_in(challenger.manifest, challenger).metric
        drops: list[Interval | None] = []
        for pair in pairs:
            compared = compare(cache, challenger, champion, judging, pair)
            found["reports"] = {**found.get("reports", {}), **compared.reports}
            drops.append(
                _hold_against_champion(notes, compared, challenger, champion, settings, pair)
            )
        found["drop"] = _worst(drops)
        shown = tuple(_shown(pairs, drops, found, settings))
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


def _compare_interfaces(
    notes: _Notes,
    pairs: Sequence[FilePair],
    challenger: PublishedRelease,
    champion: PublishedRelease,
) -> None:
    """Note what apps would have to change, and which devices lose or gain a file."""
    for device in lost_devices(challenger, champion):
        notes.against.append(f"it has no file for {device}, which the champion has")
    for device in new_devices(challenger, champion):
        notes.remarks.append(f"{device}: the champion has no file to compare with")
    if devices_of(challenger.manifest) and not devices_of(champion.manifest):
        notes.remarks.append(
            "it has a file for each device where the champion has one for all: devices that it "
            "does not name take model.tflite"
        )
    for pair in pairs:
        changes = interface_changes(pair.champion, pair.challenger)
        notes.against += [pair.said(f"apps would have to change: {change}") for change in changes]
        remarks = interface_remarks(pair.champion, pair.challenger)
        notes.remarks += [pair.said(remark) for remark in remarks]


def _shown(
    pairs: Sequence[FilePair],
    drops: Sequence[Interval | None],
    found: Mapping[str, Any],
    settings: GateSection,
) -> Iterator[str]:
    """Say of each two files that were compared what was shown."""
    for pair, drop in zip(pairs, drops, strict=True):
        if drop:
            yield pair.said(
                f"{found['metric']} drops by {with_interval(drop)} against the champion on "
                f"{found['images']} sealed images, and {exact(settings.drop)} may be lost"
            )


def _worst(drops: Sequence[Interval | None]) -> Interval | None:
    """Return the drop that decides; None where one could not be measured."""
    known = [drop for drop in drops if drop]
    return max(known, key=lambda drop: drop.high) if len(known) == len(drops) else None


def _unjudged_files(challenger: PublishedRelease) -> Iterator[str]:
    """Name each model file of a release that is not one that its run measured."""
    measured = {str(entry.get("sha256")) for entry in files_in(challenger.manifest)}
    models = challenger.models
    if measured - {entry.sha256 for entry in models}:
        yield f"the model that {challenger} was measured with is not among its files"
    for entry in models:
        if entry.sha256 not in measured:
            yield f"{entry.path} is no file that its run measured on the sealed images"


def _hold_against_budgets(
    notes: _Notes,
    pairs: Sequence[FilePair],
    challenger: PublishedRelease,
    champion: PublishedRelease,
) -> None:
    """Hold size and latency against what the champion had to keep."""
    places = {"against": notes.against, "doubt": notes.doubts, "remark": notes.remarks}
    for pair in pairs:
        for weight, text in budget_checks(pair, challenger, champion):
            places[weight].append(pair.said(text))


def _hold_against_champion(
    notes: _Notes,
    compared: Compared,
    challenger: PublishedRelease,
    champion: PublishedRelease,
    settings: GateSection,
    pair: FilePair,
) -> Interval | None:
    """Note what speaks against the challenger on the sealed images; return the paired drop."""
    evaluation, answers = compared.challenger
    if failure := failure_of(evaluation, answers):
        notes.against.append(pair.said(f"on the sealed images it {failure}"))
        return None
    if failure := failure_of(*compared.champion):
        notes.doubts.append(pair.said(f"the champion cannot be compared with: it {failure}"))
        return None
    reference = compared.champion[1]
    assert answers
    assert reference
    metric = budgets_in(challenger.manifest, challenger).metric
    for side in (answers, reference):
        if missing := side.evaluation.unmeasured.get(metric):
            notes.doubts.append(f"these images give no {metric}: {missing}")
            return None
    drop = _drop(reference, answers, metric, compared.parameters)
    if drop.high > settings.drop:
        verb = "loses" if drop.low > settings.drop else "may lose"
        notes.against.append(
            pair.said(
                f"it {verb} more than {exact(settings.drop)} of {metric} against the champion: "
                f"{with_interval(drop)}"
            )
        )
    sides = ("its own", pair.challenger, challenger), ("the champion's", pair.champion, champion)
    for which, entry, published in sides:
        budgets = budgets_in(entry, published)
        breaches = floor_breaches(evaluation.metrics, evaluation.groups, budgets)
        notes.against += [pair.said(f"{which} floors: {breach.text}") for breach in breaches]
        if doubt := floor_doubt(evaluation.metrics, evaluation.groups, budgets):
            notes.doubts.append(pair.said(f"{which} floors: {doubt}"))
    notes.against += map(pair.said, _worse_groups(reference, answers, metric, settings))
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
