"""Cost fitting: networks timed one after the other, and what predicts the time of others."""

from __future__ import annotations

from pathlib import Path

from components.artifacts.cost_model import (
    LATENCY_COUNTS,
    LEAST_SAMPLES,
    SIZE_COUNTS,
    CostModel,
    TimedSample,
    fits_of,
)
from components.artifacts.cost_samples import CostSample, CostSamples
from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.contract.progress import tell, telling
from components.contract.provisional import PROVISIONAL
from components.devices.host import QUIET_WAITS_S, Host
from components.devices.timing_plan import TimingPlan
from components.measure.measuring import measurement_of
from components.statistics.resampling import Resampling


def fit_costs(
    folder: Path, report: Path, device: str, plan: TimingPlan, resampling: Resampling
) -> tuple[CostModel, dict[str, float]]:
    """Time every sample as ``benchmark`` does, and fit what is counted of them to the times.

    Where one of them met with no quiet moment, those after it wait for none: the median of a
    disturbed one still counts, and the report says which were disturbed.

    Args:
        folder: The samples.
        report: Folder for ``benchmark.json`` of each, below its name.
        device: What this machine is called.
        plan: How they are timed.
        resampling: How intervals are made.

    Returns:
        The model, and metrics of how good it is.

    Raises:
        UserError: Too few of them could be measured, an earlier version wrote them, or a plan that
            cannot be carried out.
    """
    given = CostSamples.read(folder)
    _check_counted(given)
    timed: list[TimedSample] = []
    left_out: dict[str, str] = {}
    killed, waits_s = False, QUIET_WAITS_S
    where: dict[str, str] = {}
    for place, sample in enumerate(given.samples):
        tell(phase="networks", part=place, total=len(given.samples))
        with telling(None):  # each would tell of its own processes
            found = measurement_of(folder / sample.name, device, Host(waits_s), plan, resampling)
        found.write(report / sample.name)
        where = dict(found.device.fingerprint)
        if found.verdict in ("disturbed", "throttled"):
            waits_s = waits_s[:1]  # no quiet moment came; all others would wait for it in vain
        killed |= found.verdict == "killed"
        if found.summary is None:
            left_out[sample.name] = f"{found.verdict}: {found.evidence}"
        else:
            timed.append(_timed(sample, found))
    tell(phase="networks", part=len(given.samples), total=len(given.samples))
    if len(timed) < LEAST_SAMPLES:
        told = "; ".join(f"{name} {why}" for name, why in left_out.items())
        raise UserError(
            f"cost_model: {len(timed)} of {len(given.samples)} networks could be timed, and a fit "
            f"takes {LEAST_SAMPLES} ({told or 'there are no more'})",
            "run again on a quiet machine, or raise cost_networks under search",
        )
    latency, size = fits_of(tuple(timed))
    model = CostModel(
        device=device,
        fingerprint=where,
        threads=plan.threads,
        scheme=given.scheme,
        samples=tuple(timed),
        left_out=left_out,
        latency=latency,
        size=size,
    )
    return model, _metrics(model, killed=killed)


def _check_counted(given: CostSamples) -> None:
    """Refuse samples of which something was not counted yet that is fitted now."""
    for sample in given.samples:
        if missing := {*LATENCY_COUNTS, *SIZE_COUNTS} - sample.counts.keys():
            raise UserError(
                f"{sample.name} of the cost samples has no count of {', '.join(sorted(missing))}: "
                "an earlier version of slimline wrote it",
                "run cost_samples again",
            )


def _timed(sample: CostSample, found: Measurement) -> TimedSample:
    assert found.summary is not None, "it crashed"
    p50_ms = found.summary.p50_ms
    return TimedSample(
        name=sample.name,
        counts=sample.counts,
        latency_ms=p50_ms.value,
        low_ms=p50_ms.low,
        high_ms=p50_ms.high,
        size_bytes=found.size_bytes,
        verdict=found.verdict,
        evidence=found.evidence,
    )


def _metrics(model: CostModel, *, killed: bool) -> dict[str, float]:
    disturbed = [sample for sample in model.samples if sample.verdict != "stable"]
    metrics: dict[str, float] = {
        "samples": len(model.samples),
        "left_out": len(model.left_out),
        "disturbed_samples": len(disturbed),
        "disturbed": int(bool(disturbed)),
        "latency_median_error": model.latency.median_error,
        "latency_rank_correlation": model.latency.rank_correlation,
        "size_median_error": model.size.median_error,
    }
    return {**metrics, PROVISIONAL: 1} if killed else metrics
