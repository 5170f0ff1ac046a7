"""Benchmark: how fast a converted model is on a device, what memory it takes, how sure that is."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import FromGraph, LiteModelIn, MetricsOut, ReportOut
from components.devices.timing_plan import TimingPlan
from components.statistics.resampling import Resampling

IMAGE = "device"
OCCUPIES = "device"


def benchmark(
    model: LiteModelIn,
    report: ReportOut,
    metrics: MetricsOut,
    *,
    device: Annotated[str, FromGraph()] = "host",
    plan: TimingPlan = TimingPlan(),
    resampling: Resampling = Resampling(),
    sustained: bool = False,
    energy: bool = False,
    operators: bool = True,
) -> None:
    """Time a converted model on this machine, in processes that hold the runtime alone.

    Every sample is kept; median, tails and their intervals are derived from them. When something
    came between, the whole is repeated, at most twice, and then stays "disturbed": the model is
    at least as fast as such a number says. A process that dies is tried again once. A model that
    kills its process twice running, or is refused, is an answer, "crashed"; one whose process was
    ended from outside, or hangs, is none, "killed": the next run measures it again.

    Args:
        model: The LiteModel.
        report: ``benchmark.json``.
        metrics: The summary, flat.
        device: What this machine is called in the report.
        plan: How the model is timed.
        resampling: How intervals are made.
        sustained: Also run the model for five minutes without a pause; the median of the last
            minute stands beside that of the first.
        energy: Also measure, for two minutes, what an inference takes above the idle device, where
            a counter of energy can be read.
        operators: Also ask LiteRT's profiler what each operator takes, in one process more, which
            runs for about half a second.

    Raises:
        UserError: More threads than cores, or a plan longer than its limit.

    References:
        arXiv:1911.02549 (MLPerf Inference: how many samples a tail takes).
    """
    from contextlib import closing

    from components.devices.host import Host
    from components.measure.measuring import measurement_of
    from components.measure.operators import with_operators
    from components.measure.reporting import write_measurement

    with closing(Host()) as host:
        measurement = measurement_of(
            model, device, host, plan, resampling, sustained=sustained, energy=energy
        )
    if operators:
        measurement = with_operators(measurement, model)
    write_measurement(measurement, report, metrics)
