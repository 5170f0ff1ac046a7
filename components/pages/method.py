"""Method: what was measured and how, in the words of the leaderboard page and the model card."""

from __future__ import annotations

from components.artifacts.decision import Candidate, Decision, Machine
from components.pages.figures import trials_and_gaps
from components.pages.words import (
    budgets_in_words,
    count,
    percent,
    splits_in_words,
    steps_in_words,
    unit_in_words,
)
from components.statistics.metrics import METRICS
from components.statistics.quantities import whole_bytes, with_interval

_RULE = (
    "A budget is kept when the worse end of the interval keeps it: what the data cannot rule out "
    "counts against a variant. Nothing wins that crashed. Other load only slows, so a latency that "
    "was disturbed and keeps the budget keeps it; one that does not, or any while latency is "
    "minimized, decides nothing, nor does one of a device that slowed itself down."
)
_SIZE = (
    "Bytes of the .tflite file; gzip: the same after gzip -9, about what an app store ships. Peak "
    "memory: resident, above the runtime's own baseline."
)


def method(decision: Decision) -> list[tuple[str, str]]:
    """Return what a reader has to know to trust the numbers: headings and sentences."""
    facts = [
        ("Data", _data(decision)),
        ("Splits", _splits(decision)),
        *_images(decision),
        ("Budgets", _budgets(decision)),
        ("Rule", _RULE),
        (f"{METRICS[decision.metric].title} and drop", _resampling(decision)),
        *trials_and_gaps(decision.split.one_shot, decision.split.unmeasured, decision.split.name),
    ]
    if decision.baseline:
        facts.append(("Trivial baseline", f"{decision.baseline.note}."))
    facts += [
        (f"Compared with {one.name}", _compared(decision, one))
        for one in decision.variants
        if one.verdict == "comparison"
    ]
    facts += [
        (f"Latency on {device}", _machine(machine)) for device, machine in decision.devices.items()
    ]
    return [*facts, ("Size and memory", _SIZE), ("Reference", _reference(decision))]


def _data(decision: Decision) -> str:
    split = decision.split
    kind = "identities" if decision.task == "verification" else "classes"
    return (
        f"{split.description}. {split.n_images:,} images of {split.n_identities:,} {kind} decided "
        f"(the {split.name} split)."
    )


def _splits(decision: Decision) -> str:
    sizes = splits_in_words(decision.split.splits)
    return f"{sizes} images, and a sealed split that only the release looks at."


def _images(decision: Decision) -> list[tuple[str, str]]:
    """Say how many images are used of how many, and what became of the others."""
    use = decision.images
    if use is None:
        return []
    losses = [(f"Left out: {reason}", f"{text}.") for reason, text in use.examples]
    return [("Images", f"{use.summary}."), *losses]


def _budgets(decision: Decision) -> str:
    asked = budgets_in_words(decision.budgets)
    return f"{asked}; of those that keep them the one of least {decision.minimize} wins."


def _resampling(decision: Decision) -> str:
    unit = unit_in_words(decision.task, decision.split.resample)
    return (
        f"{decision.resamples:,} bootstrap resamples of {unit}; {percent(decision.confidence)} "
        "percentile intervals; the same resamples for every variant, so that the drop is paired."
    )


def _compared(decision: Decision, one: Candidate) -> str:
    """Say what is no candidate, and what it reaches on the images that decided."""
    made = f"{steps_in_words(one.steps)}; measured like a variant, and no candidate"
    if one.metric is None or one.drop is None:
        return f"{made}. {one.reason}."
    return (
        f"{made}. {METRICS[decision.metric].title} {with_interval(one.metric)}, "
        f"{with_interval(one.drop)} less than {decision.reference}, "
        f"{whole_bytes(one.file_bytes)}."
    )


def _machine(machine: Machine) -> str:
    about = ", ".join(f"{name} {fact}" for name, fact in machine.facts.items())
    threads = count(machine.threads, "thread")
    return (
        f"{machine.processes} fresh processes a variant that hold the runtime and nothing else, "
        f"{machine.inferences:,} steady inferences or more, {threads}, {machine.runtime}. {about}."
    )


def _reference(decision: Decision) -> str:
    reference = decision.variant(decision.reference)
    if reference.metric is None:
        return f"{reference.name}: {reference.reason}."
    title, metric = METRICS[decision.metric].title, with_interval(reference.metric)
    size = reference.size_bytes
    file = "known by its answers alone" if size is None else whole_bytes(size)
    return f"{reference.name}: {title} {metric}, {file}."
