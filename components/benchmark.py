"""Benchmark: how fast a converted model is on a device, what memory it takes, how sure that is."""

from __future__ import annotations

from typing import Annotated, Literal

from components.contract.types import (
    Fraction,
    FromGraph,
    LiteModelIn,
    MetricsOut,
    PositiveFloat,
    PositiveInt,
    ReportOut,
    Seed,
)

IMAGE = "device"
OCCUPIES = "device"
TIME_LIMIT_S = 3600


def benchmark(
    model: LiteModelIn,
    report: ReportOut,
    metrics: MetricsOut,
    *,
    device: Annotated[Literal["host"], FromGraph()] = "host",
    threads: PositiveInt = 1,
    processes: PositiveInt = 3,
    blocks: PositiveInt = 8,
    block_ms: PositiveFloat = 40.0,
    warm_up_ms: PositiveFloat = 50.0,
    limit_s: PositiveFloat = 300.0,
    resamples: PositiveInt = 1000,
    confidence: Annotated[Fraction, FromGraph()] = 0.95,
    seed: Seed = 0,
) -> None:
    """Time a converted model in fresh processes that hold the runtime and nothing else.

    Every sample is kept; median, tails and their intervals are derived from them. When something
    came between, the whole is repeated, at most twice, and then stays "disturbed": such a number
    decides nothing. A model that kills its process, is refused or hangs is an answer, "crashed".

    Args:
        model: The LiteModel.
        report: ``benchmark.json``.
        metrics: The summary, flat.
        device: Where: this machine.
        threads: Of the runtime, at most the cores that this process may use.
        processes: Fresh processes, 3 to 5 to see how far they lie apart.
        blocks: Groups of samples in each process.
        block_ms: About how long a group takes; it has 3 to 250 samples.
        warm_up_ms: Inferences before the first group, at least this long.
        limit_s: What one process may take before it counts as hanging.
        resamples: Draws behind each interval.
        confidence: What the intervals hold, 0 to 1.
        seed: Of input and draws.

    Raises:
        UserError: More threads than cores.

    References:
        arXiv:1911.02549 (MLPerf Inference: how many samples a tail takes).
    """
    from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
    from components.artifacts.measurement import MeasuredDevice, Measurement
    from components.contract.digests import canonical_json
    from components.devices.fingerprint import fingerprint, runtime, state
    from components.devices.host import TimingPlan
    from components.measure.timing import flat_metrics, measure, summarize

    info, before = LiteModelInfo.read(model), state()
    plan = TimingPlan(threads, processes, blocks, block_ms, warm_up_ms, limit_s, seed)
    outcome = measure(model / MODEL_FILE, plan)
    summary = None
    if outcome.crashed is None:
        summary = summarize(
            outcome.processes, resamples=resamples, confidence=confidence, seed=seed
        )
    measurement = Measurement(
        device=MeasuredDevice(device, fingerprint(), before, state()),
        threads=threads,
        model_sha256=info.sha256,
        size_bytes=info.size_bytes,
        gzip_bytes=info.gzip_bytes,
        runtime=runtime(),
        processes=outcome.processes,
        attempts=outcome.attempts,
        crashed=outcome.crashed,
        summary=summary,
    )
    measurement.write(report)
    metrics.write_bytes(canonical_json(flat_metrics(measurement)))
