"""Contest: from the reports on all variants to the decision between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.artifacts.decision import (
    BaselineCheck,
    Decision,
    Machine,
    NearMiss,
    Result,
    Split,
    Timing,
)
from components.artifacts.evaluation import Evaluation
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import Measurement
from components.contract.errors import UserError, suggest
from components.devices.isolated import Crash
from components.measure.paired import Answers, Reference
from components.selection.candidates import Budgets, Contender, Latency
from components.selection.choosing import Choice, Goal, Judgement, choose
from components.statistics.metrics import METRICS
from components.statistics.quantities import decimal, spread


@dataclass(frozen=True, eq=False)
class Entry:
    """One variant with everything that was found out about it.

    Attributes:
        name: The user's name for it.
        path: Folder of its LiteModel.
        info: What ``lite.json`` says.
        evaluation: The report of evaluate.
        answers: What it answered; None after a crash.
        benchmarks: By device.
    """

    name: str
    path: Path
    info: LiteModelInfo
    evaluation: Evaluation
    answers: Answers | None
    benchmarks: Mapping[str, Measurement]

    @property
    def failure(self) -> str | None:
        """Why it cannot be used at all, or None."""
        if crash := self.evaluation.crashed:
            return f"crashed while it was evaluated: {fate(crash)}"
        return self.answers.useless if self.answers else None


def fate(crash: Crash) -> str:
    """Say how a process ended: ``signal 11 (SIGSEGV)``, or the last line of its error."""
    return crash.name if crash.signal is None else f"signal {crash.signal} ({crash.name})"


def entries_of(
    models: Sequence[Path],
    evaluations: Sequence[Path],
    benchmarks: Sequence[Path],
    *,
    names: Sequence[str],
    devices: Sequence[str],
) -> tuple[Entry, ...]:
    """Read every report.

    Args:
        models: LiteModels.
        evaluations: A report of evaluate for each of them.
        benchmarks: Reports of benchmark: the first model on every device, then the second.
        names: Of the variants, in the order of ``models``.
        devices: Names, in the order of ``benchmarks``.

    Raises:
        UserError: The counts do not fit each other, or a name is there twice.
    """
    wanted = {"models": len(names), "evaluations": len(names)}
    wanted["benchmarks"] = len(names) * len(devices)
    given = {"models": models, "evaluations": evaluations, "benchmarks": benchmarks}
    for port, count in wanted.items():
        if len(given[port]) != count:
            raise UserError(
                f"select was given {len(given[port])} {port} for {len(names)} names and "
                f"{len(devices)} devices; {count} were expected",
                "give one model and evaluation a name, and one benchmark a name and device",
            )
    for value in {*names}:
        if list(names).count(value) > 1:
            raise UserError(f"two variants are called {value!r}", "give every variant its own name")
    timed = iter(benchmarks)
    entries = [
        _entry(
            name, model, evaluation, {device: Measurement.read(next(timed)) for device in devices}
        )
        for name, model, evaluation in zip(names, models, evaluations, strict=True)
    ]
    return tuple(entries)


def _entry(
    name: str, model: Path, evaluation: Path, benchmarks: Mapping[str, Measurement]
) -> Entry:
    info, report = LiteModelInfo.read(model), Evaluation.read(evaluation)
    for device, benchmark in benchmarks.items():
        assert benchmark.model_sha256 == info.sha256, f"{name} on {device}: timed another file"
    answers = None if report.crashed else Answers.read(evaluation)
    return Entry(name, model, info, report, answers, benchmarks)


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


def decide(
    entries: Sequence[Entry],
    budgets: Budgets,
    *,
    candidates: Sequence[str],
    minimize: Goal,
    resamples: int,
    confidence: float,
    seed: int,
) -> Decision:
    """Compare all variants with the first, the reference, and choose.

    Args:
        entries: The variants, the reference first.
        budgets: What has to be kept.
        candidates: Names that may win.
        minimize: What is best among those that keep.
        resamples: Draws behind each interval.
        confidence: Which share the intervals hold, 0 to 1.
        seed: Of the draws.

    Raises:
        UserError: The task has no such metric.
    """
    reference = entries[0]
    yardstick = None
    if reference.answers:
        yardstick = Reference.of(
            reference.answers,
            budgets.metric,
            resamples=resamples,
            confidence=confidence,
            seed=seed,
        )
    contenders = [_contender(entry, yardstick, candidates) for entry in entries]
    choice = choose(contenders, budgets, reference=reference.name, minimize=minimize)
    return Decision(
        winner=choice.winner,
        reason=choice.reason,
        reference=reference.name,
        task=reference.evaluation.task,
        budgets=budgets,
        minimize=minimize,
        confidence=confidence,
        resamples=resamples,
        variants=tuple(
            _result(entry, contender, judgement, budgets.metric)
            for entry, contender, judgement in zip(
                entries, contenders, choice.judgements, strict=True
            )
        ),
        baseline=_baseline(reference, budgets.metric),
        near_misses=_near_misses(choice),
        split=_split(reference.evaluation),
        devices=_machines(entries),
    )


def _contender(entry: Entry, yardstick: Reference | None, candidates: Sequence[str]) -> Contender:
    drop = yardstick.drop_of(entry.answers) if yardstick and entry.answers else None
    return Contender(
        name=entry.name,
        candidate=entry.name in candidates,
        size_bytes=entry.info.size_bytes,
        gzip_bytes=entry.info.gzip_bytes,
        drop=drop,
        latency={
            device: Latency(item.summary and item.summary.p50_ms, item.verdict, _evidence(item))
            for device, item in entry.benchmarks.items()
        },
        failure=entry.failure,
    )


def _evidence(measurement: Measurement) -> str:
    """Say briefly what a verdict rests on; ``decision.json`` has the whole of it."""
    if measurement.crashed:
        return fate(measurement.crashed)
    return measurement.evidence.partition(";")[0]


def _result(entry: Entry, contender: Contender, judgement: Judgement, metric: str) -> Result:
    summaries = [item.summary for item in entry.benchmarks.values() if item.summary]
    return Result(
        name=entry.name,
        steps=entry.info.steps,
        candidate=contender.candidate,
        sha256=entry.info.sha256,
        size_bytes=entry.info.size_bytes,
        gzip_bytes=entry.info.gzip_bytes,
        parameters=entry.info.parameters,
        metric=entry.evaluation.metrics.get(metric),
        metrics=entry.evaluation.metrics,
        drop=contender.drop,
        latency={device: _timing(item) for device, item in entry.benchmarks.items()},
        peak_memory_bytes=max((item.peak_memory_bytes for item in summaries), default=None),
        verdict=judgement.verdict,
        on_front=judgement.on_front,
        reason=judgement.reason,
        excess=judgement.excess,
    )


def _timing(measurement: Measurement) -> Timing:
    summary = measurement.summary
    return Timing(
        p50_ms=summary and summary.p50_ms,
        p90_ms=summary and summary.p90_ms,
        first_ms=summary and summary.first_ms,
        load_ms=summary and summary.load_ms,
        verdict=measurement.verdict,
        evidence=measurement.evidence,
    )


def _baseline(reference: Entry, metric: str) -> BaselineCheck | None:
    """Say whether the reference learned anything that the trivial answer does not give away."""
    trivial = reference.evaluation.baseline
    lead, metrics = trivial.lead.get(metric), trivial.metrics
    if lead is None or metric not in metrics:
        return None
    by = spread(lead.value, lead.low, lead.high)
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


def _near_misses(choice: Choice) -> tuple[NearMiss, ...]:
    return tuple(NearMiss(item.name, item.excess, item.reason) for item in choice.near_misses)


def _split(evaluation: Evaluation) -> Split:
    return Split(
        name=evaluation.split,
        description=evaluation.description,
        n_images=evaluation.n_images,
        n_identities=evaluation.n_identities,
        resample=evaluation.resample,
        splits=evaluation.splits,
    )


def _machines(entries: Sequence[Entry]) -> dict[str, Machine]:
    """Describe each device once, with the smallest effort that any variant got on it."""
    machines: dict[str, Machine] = {}
    for device, first in entries[0].benchmarks.items():
        every = [entry.benchmarks[device] for entry in entries]
        summaries = [one.summary for one in every if one.summary]
        machines[device] = Machine(
            facts=first.device.fingerprint,
            runtime=" ".join(first.runtime.values()),
            threads=first.threads,
            processes=min((len(one.processes) for one in every if one.summary), default=0),
            inferences=min((summary.samples for summary in summaries), default=0),
        )
    return machines


def answers_to_show(
    entries: Sequence[Entry], decision: Decision
) -> tuple[Answers | None, tuple[str, Answers] | None]:
    """Return the reference's answers, and name and answers of the winner or the nearest miss."""
    by_name = {entry.name: entry.answers for entry in entries}
    near = decision.near_misses[0].name if decision.near_misses else None
    name = decision.winner or near
    other = by_name[name] if name and name != decision.reference else None
    return by_name[decision.reference], (name, other) if name and other else None
