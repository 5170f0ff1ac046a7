"""Controls: what a teacher is worth, as the difference of a student and its control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from components.artifacts.decision import Candidate
from components.measure.paired import Reference
from components.selection.candidates import Reports
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import with_interval
from components.statistics.resampling import Resampling


def with_controls(
    measured: Sequence[Candidate],
    reports: Sequence[Reports],
    controls: Mapping[str, str],
    metric: str,
    resampling: Resampling,
) -> list[Candidate]:
    """Compare every variant that has a control with it, and say of controls what they are.

    Args:
        measured: All variants.
        reports: On each of them.
        controls: By the name of a variant that of its control.
        metric: What is compared.
        resampling: How the intervals are made; the same draws for both of a pair.
    """
    answers = {one.name: one.answers for one in reports}
    references = {
        name: Reference.of(answered, metric, resampling)
        for name in controls.values()
        if (answered := answers[name])
    }
    found: list[Candidate] = []
    for one in measured:
        control, answered = controls.get(one.name), answers[one.name]
        students = [student for student, name in controls.items() if name == one.name]
        if control:
            reference = references.get(control)
            drop = reference.drop_of(answered) if reference and answered else None
            found.append(replace(one, control=control, gain=drop and _turned(drop)))
        elif students and not one.reason:
            what = f"the network of {', '.join(students)} trained on labels alone"
            found.append(replace(one, reason=what))
        else:
            found.append(one)
    return found


def _turned(drop: Interval) -> Interval:
    """Return by how much the one is better by how much the other is worse."""
    return Interval(0.0 - drop.value, 0.0 - drop.high, 0.0 - drop.low)


def control_notes(variants: Sequence[Candidate], metric: str) -> Iterator[str]:
    """Yield one sentence for every variant that has a control: what its teacher was worth."""
    for one in variants:
        if one.control and one.gain:
            by = f"{with_interval(one.gain)} of {METRICS[metric].title}"
            against = f"{one.name} against {one.control}, the same trained on labels alone"
            if one.gain.low > 0:
                yield f"{against}: better by {by}"
            elif one.gain.high < 0:
                yield f"{against}: worse for certain, {by}. Leave the teacher away"
            else:
                yield f"{against}: not certainly better, {by}"
