"""Candidates: the reports on every variant, and each variant as they measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.artifacts.decision import Candidate, Timing
from components.artifacts.evaluation import Evaluation
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.making import Making
from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.measure.paired import Answers, Reference, failure_of, read_evaluated


@dataclass(frozen=True, eq=False)
class Reports:
    """What convert, evaluate and benchmark say of one variant.

    Attributes:
        name: The user's name for it.
        info: What ``lite.json`` says; None of a reference that is known by its answers alone.
        evaluation: The report of evaluate.
        answers: What it answered; None after a crash.
        benchmarks: By device.
        making: How its file came about; None where nothing tells.
    """

    name: str
    info: LiteModelInfo | None
    evaluation: Evaluation
    answers: Answers | None
    benchmarks: Mapping[str, Measurement]
    making: Making | None = None


def read_reports(
    models: Sequence[Path],
    evaluations: Sequence[Path],
    benchmarks: Sequence[Path],
    *,
    names: Sequence[str],
    devices: Sequence[str],
    reference: Path | None = None,
) -> tuple[Reports, ...]:
    """Read every report.

    Args:
        models: LiteModels.
        evaluations: A report of evaluate for each of them.
        benchmarks: Reports of benchmark: the first model on every device, then the second.
        names: Of the variants, in the order of ``models``.
        devices: Names, in the order of ``benchmarks``.
        reference: A report of evaluate_answers on the first name, which then has no model.

    Raises:
        UserError: The counts do not fit each other, or a name is there twice.
    """
    with_model = names if reference is None else names[1:]
    wanted = {"models": len(with_model), "evaluations": len(with_model)}
    wanted["benchmarks"] = len(with_model) * len(devices)
    given = {"models": models, "evaluations": evaluations, "benchmarks": benchmarks}
    for port, count in wanted.items():
        if len(given[port]) != count:
            raise UserError(
                f"select was given {len(given[port])} {port} for {len(with_model)} names and "
                f"{len(devices)} devices; {count} were expected",
                "give one model and evaluation a name, and one benchmark a name and device",
            )
    for value in {*names}:
        if list(names).count(value) > 1:
            raise UserError(f"two variants are called {value!r}", "give every variant its own name")
    timed = iter(benchmarks)
    first = () if reference is None else (Reports(names[0], None, *read_evaluated(reference), {}),)
    return (
        *first,
        *(
            _read(name, model, report, {one: Measurement.read(next(timed)) for one in devices})
            for name, model, report in zip(with_model, models, evaluations, strict=True)
        ),
    )


def _read(name: str, model: Path, report: Path, benchmarks: Mapping[str, Measurement]) -> Reports:
    info = LiteModelInfo.read(model)
    for device, benchmark in benchmarks.items():
        assert benchmark.model_sha256 == info.sha256, f"{name} on {device}: timed another file"
    return Reports(name, info, *read_evaluated(report), benchmarks, Making.of(model))


def as_measured(
    reports: Reports, reference: Reference | None, metric: str, *, candidate: bool
) -> Candidate:
    """Return a variant as its reports measured it, before anything is chosen.

    Args:
        reports: What they say.
        reference: What its drop is measured against; None when the reference crashed.
        metric: The one that counts.
        candidate: Whether it may win.
    """
    info, answers = reports.info, reports.answers
    failure, crash = failure_of(reports.evaluation, answers), reports.evaluation.crashed
    summaries = [item.summary for item in reports.benchmarks.values() if item.summary]
    peaks = [item.peak_memory_bytes for item in summaries if item.peak_memory_bytes is not None]
    return Candidate(
        name=reports.name,
        steps=info.steps if info else (),
        candidate=candidate,
        sha256=info.sha256 if info else None,
        size_bytes=info.size_bytes if info else None,
        gzip_bytes=info.gzip_bytes if info else None,
        parameters=info.parameters if info else None,
        metric=reports.evaluation.metrics.get(metric),
        metrics=reports.evaluation.metrics,
        drop=reference.drop_of(answers) if reference and answers else None,
        latency={device: _timing(item) for device, item in reports.benchmarks.items()},
        peak_memory_bytes=max(peaks, default=None),
        verdict="failed" if failure and not (crash and crash.outside) else "undecided",
        reason=failure or "",
        groups=reports.evaluation.groups,
        lead=reports.evaluation.baseline.lead.get(metric),
        warnings=info.warnings if info else (),
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
        peak_memory_bytes=summary and summary.peak_memory_bytes,
        heat_c=measurement.heat_c,
        clock_mhz=measurement.clock_mhz,
        cores=measurement.cores,
        partitions=measurement.delegate_partitions,
        sustained=measurement.sustained,
        energy=measurement.energy,
        given=measurement.given,
        arena_bytes=measurement.arena_bytes,
        flash_bytes=measurement.flash_bytes,
        operators=measurement.operators and measurement.operators.by_kind(),
        notes=measurement.notes,
        estimate=measurement.estimate,
        load_high_ms=summary and summary.load_high_ms,
        end_heat_c=measurement.end_heat_c,
        runtime=_runtime(measurement.runtime),
        accelerator=measurement.accelerator,
    )


def _runtime(told: Mapping[str, str]) -> str:
    """Return what ran a model, and what brought that there."""
    name = f"{told.get('name', '')} {told.get('version', '')}".strip()
    source = told.get("source", "")
    return f"{name} ({source})" if name and source else name
