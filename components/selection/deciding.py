"""Deciding: from the reports on all variants to the decision between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.artifacts.budgets import DEVICE_LIMITS, Budgets
from components.artifacts.decision import (
    BaselineCheck,
    Decision,
    Goal,
    Machine,
    NearMiss,
    Split,
)
from components.artifacts.evaluation import Evaluation
from components.contract.errors import UserError, suggest
from components.measure.paired import Answers, Reference
from components.selection.candidates import Reports, as_measured
from components.selection.choosing import Choice, choose
from components.selection.controls import with_controls
from components.selection.floors import floor_faults
from components.selection.next_steps import next_steps
from components.selection.notes import notes_of
from components.selection.rankings import ranking_differences
from components.statistics.metrics import METRICS
from components.statistics.quantities import decimal, with_interval
from components.statistics.resampling import Resampling


def check_candidates(candidates: Sequence[str], names: Sequence[str]) -> None:
    """Refuse candidates that are no variants.

    Raises:
        UserError: A candidate has no model.
    """
    for candidate in candidates:
        if candidate not in names:
            raise UserError(
                f"the candidate {candidate!r} is none of the models", suggest(candidate, names)
            )


def check_devices(budgets: Budgets, devices: Sequence[str], minimize: Goal) -> None:
    """Refuse budgets of devices without a device, and those of a device that there is none of.

    Raises:
        UserError: Nothing would measure what a budget limits.
    """
    for name in budgets.devices:
        if name not in devices:
            what = f"budgets are set for the device {name!r}, and nothing was measured on it"
            raise UserError(what, suggest(name, devices))
    limits = [key for key in DEVICE_LIMITS if getattr(budgets, key) is not None]
    if not devices and (limits or minimize == "latency"):
        counts = "latency" if "latency_ms" in limits or minimize == "latency" else limits[0]
        raise UserError(
            f"{counts} matters, but nothing was measured on a device",
            f"add a device, or take {counts} out of budgets and minimize",
        )


def decide(
    reports: Sequence[Reports],
    budgets: Budgets,
    *,
    candidates: Sequence[str],
    minimize: Goal,
    resampling: Resampling,
    controls: Mapping[str, str] | None = None,
) -> Decision:
    """Compare all variants with the first, the reference, and choose.

    Args:
        reports: Of the variants, the reference first.
        budgets: What has to be kept.
        candidates: Names that may win.
        minimize: What is best among those that keep.
        resampling: How intervals are made.
        controls: By the name of a variant that of its control.

    Raises:
        UserError: The task has no such metric, or the data no groups that floors are to hold for.
    """
    first = reports[0]
    for fault in floor_faults(first.evaluation.task, budgets.floors, budgets.per):
        raise fault
    answered = [one.evaluation for one in reports if not one.evaluation.crashed]
    if budgets.per == "group" and answered and not any(item.groups for item in answered):
        raise UserError(
            "floors are to hold for each group, but the data tells of no groups",
            "give the data groups (split: {groups: folder}, or a column group in its list), or "
            "remove per: group",
        )
    reference = None
    if first.answers:
        reference = Reference.of(first.answers, budgets.metric, resampling)
    measured = [
        as_measured(one, reference, budgets.metric, candidate=one.name in candidates)
        for one in reports
    ]
    measured = with_controls(measured, reports, controls or {}, budgets.metric, resampling)
    choice = choose(measured, budgets, reference=first.name, minimize=minimize)
    baseline = _baseline(first, budgets.metric)
    notes = notes_of(
        next((one for one in choice.candidates if one.name == choice.winner), None),
        choice.candidates,
        reference=first.name,
        metric=budgets.metric,
        baseline=baseline,
        ungrouped=first.evaluation.ungrouped,
    )
    return Decision(
        winner=choice.winner,
        reason=choice.reason,
        reference=first.name,
        task=first.evaluation.task,
        budgets=budgets,
        minimize=minimize,
        confidence=resampling.confidence,
        resamples=resampling.resamples,
        variants=choice.candidates,
        baseline=baseline,
        near_misses=tuple(
            NearMiss(miss.name, miss.excess, miss.reason) for miss in choice.near_misses
        ),
        split=_split(first.evaluation),
        devices=_machines(reports),
        notes=tuple(notes),
        next_steps=_next_steps(choice, budgets, reports),
        ranking_differences=ranking_differences(choice.candidates, choice.winner),
    )


def _next_steps(choice: Choice, budgets: Budgets, reports: Sequence[Reports]) -> tuple[str, ...]:
    if choice.winner is not None:
        return ()
    units, unit = judged_by(reports[0].evaluation)
    makings = {one.name: one.making for one in reports if one.making}
    return next_steps(choice.near_misses, budgets, makings, units=units, unit=unit)


def judged_by(evaluation: Evaluation) -> tuple[int, str]:
    """Return how many units the intervals of an evaluation are over, and what those are."""
    if evaluation.resample == "identity":
        return evaluation.n_identities, "identities"
    return evaluation.n_images, "images"


def _baseline(reference: Reports, metric: str) -> BaselineCheck | None:
    """Say whether the reference learned anything that the trivial answer does not give away."""
    trivial = reference.evaluation.baseline
    lead, metrics = trivial.lead.get(metric), trivial.metrics
    if lead is None or metric not in metrics:
        return None
    by = with_interval(lead)
    above = lead.low > 0
    if above:
        note = (
            f"{reference.name} is better than {trivial.name} "
            f"({METRICS[metric].title} {decimal(metrics[metric].value)}) by {by}"
        )
    else:
        note = (
            f"{reference.name} is not certainly better than {trivial.name} "
            f"({METRICS[metric].title} {decimal(metrics[metric].value)}): ahead by {by}. "
            "A small drop against such a reference means little"
        )
    return BaselineCheck(trivial.name, metrics, lead, above, note)


def _split(evaluation: Evaluation) -> Split:
    return Split(
        name=evaluation.split,
        description=evaluation.description,
        n_images=evaluation.n_images,
        n_identities=evaluation.n_identities,
        resample=evaluation.resample,
        splits=evaluation.splits,
        one_shot=evaluation.one_shot,
        unmeasured=evaluation.unmeasured,
    )


def _machines(reports: Sequence[Reports]) -> dict[str, Machine]:
    """Describe each device once, with the smallest effort that any variant got on it."""
    machines: dict[str, Machine] = {}
    timed = [one for one in reports if one.info]
    for device, first in timed[0].benchmarks.items():
        every = [one.benchmarks[device] for one in timed]
        summaries = [item.summary for item in every if item.summary]
        machines[device] = Machine(
            facts=first.device.fingerprint,
            runtime=f"{first.runtime['name']} {first.runtime['version']}".strip(),
            threads=first.threads,
            processes=min((len(item.processes) for item in every if item.summary), default=0),
            inferences=min((summary.samples for summary in summaries), default=0),
        )
    return machines


def answers_to_show(
    reports: Sequence[Reports], decision: Decision
) -> tuple[Answers | None, tuple[str, Answers] | None]:
    """Return the reference's answers, and name and answers of the winner or the nearest miss."""
    by_name = {one.name: one.answers for one in reports}
    near = decision.near_misses[0].name if decision.near_misses else None
    name = decision.winner or near
    other = by_name[name] if name and name != decision.reference else None
    return by_name[decision.reference], (name, other) if name and other else None
