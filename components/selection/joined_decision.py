"""Several decisions on the same variants, each for one device, as one that pages can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from components.artifacts.budgets import DEVICE_LIMITS, Budgets
from components.artifacts.decision import Candidate, Decision, NearMiss, Verdict
from components.selection.rankings import ranking_differences

_ORDER: Sequence[Verdict] = (
    "winner", "kept", "undecided", "over-budget", "failed", "comparison", "reference",
)  # fmt: skip
"""The verdict of a variant that has several: the one that comes first here."""


def joined(decisions: Mapping[str, Decision]) -> Decision:
    """Join the choices for several devices.

    Every variant has the latency of all devices, the best of its verdicts, and its reasons by
    device where they differ. ``winner`` is that of the first device that has one: what the release
    calls ``model.tflite``.

    Args:
        decisions: By device, of one run: the same variants, in the same order.
    """
    every = list(decisions.values())
    first = next((one for one in every if one.winner), every[0])
    if len(every) == 1:
        return first
    variants = tuple(
        _joined_variant({device: one.variants[place] for device, one in decisions.items()})
        for place in range(len(first.variants))
    )
    return replace(
        first,
        reason=_by_device({device: one.reason for device, one in decisions.items()}),
        budgets=_joined_budgets([one.budgets for one in every]),
        variants=variants,
        ranking_differences=ranking_differences(variants, first.winner),
        near_misses=() if first.winner else _near_misses(decisions),
        devices={name: machine for one in every for name, machine in one.devices.items()},
        notes=_told(decisions, {device: one.notes for device, one in decisions.items()}),
        next_steps=_told(decisions, {device: one.next_steps for device, one in decisions.items()}),
    )


def _joined_budgets(budgets: Sequence[Budgets]) -> Budgets:
    """Return all limits: each decision holds those alone that its device can tell."""
    limits = {
        key: next((found for one in budgets if (found := getattr(one, key)) is not None), None)
        for key in DEVICE_LIMITS
    }
    own = {device: found for one in budgets for device, found in (one.by_device or {}).items()}
    return replace(budgets[0], **limits, by_device=own or None)


def _joined_variant(found: Mapping[str, Candidate]) -> Candidate:
    every = list(found.values())
    assert len({one.name for one in every}) == 1, "decisions of one run have the same variants"
    best = min(every, key=lambda one: _ORDER.index(one.verdict))
    peaks = [one.peak_memory_bytes for one in every if one.peak_memory_bytes is not None]
    return replace(
        best,
        latency={device: timing for one in every for device, timing in one.latency.items()},
        peak_memory_bytes=max(peaks, default=None),
        on_front=any(one.on_front for one in every),
        reason=_by_device({device: one.reason for device, one in found.items()}),
        excess=min(one.excess for one in every),
    )


def _by_device(reasons: Mapping[str, str]) -> str:
    """Return sentences with the devices that they hold for; a common one as it is."""
    told: dict[str, list[str]] = {}
    for device, reason in reasons.items():
        told.setdefault(reason, []).append(device)
    if len(told) == 1:
        return next(iter(told))
    return "; ".join(f"{', '.join(devices)}: {reason}" for reason, devices in told.items())


def _near_misses(decisions: Mapping[str, Decision]) -> tuple[NearMiss, ...]:
    found = [
        replace(miss, reason=f"{device}: {miss.reason}")
        for device, one in decisions.items()
        for miss in one.near_misses
    ]
    return tuple(sorted(found, key=lambda miss: (miss.excess, miss.name)))


def _told(
    decisions: Mapping[str, Decision], sentences: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return sentences once each, with the devices where not all decisions have them."""
    told: dict[str, list[str]] = {}
    for device, listed in sentences.items():
        for one in listed:
            told.setdefault(one, []).append(device)
    return tuple(
        one if len(devices) == len(decisions) else f"{', '.join(devices)}: {one}"
        for one, devices in told.items()
    )
