"""Benchmark over ssh: how fast a converted model is on a board."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import FromGraph, LiteModelIn, MetricsOut, ReportOut
from components.devices.remote_settings import SshSettings
from components.devices.timing_plan import TimingPlan
from components.statistics.resampling import Resampling

IMAGE = "device"
OCCUPIES = "device"


def benchmark_ssh(
    model: LiteModelIn,
    report: ReportOut,
    metrics: MetricsOut,
    *,
    device: Annotated[str, FromGraph()],
    reached: SshSettings,
    plan: TimingPlan = TimingPlan(),
    resampling: Resampling = Resampling(),
) -> None:
    """Time a converted model on a board, as ``benchmark`` does on this machine.

    The runtime is brought there once; every process gets a folder of its own, which goes with it.
    Nothing is installed, no other folder is written to, and no rights are needed.

    Args:
        model: The LiteModel.
        report: ``benchmark.json``.
        metrics: The summary, flat.
        device: Its name in the configuration.
        reached: How it is reached.
        plan: How the model is timed.
        resampling: How intervals are made.

    Raises:
        UserError: It cannot be reached, or cannot run the runtime; there are fewer cores than
            threads; the plan is longer than its limit; the device went away in between.
    """
    from components.contract.digests import canonical_json
    from components.devices.ssh_device import open_ssh
    from components.measure.measuring import measurement_of
    from components.measure.timing import flat_metrics

    reaching = open_ssh(device, reached)
    try:
        measurement = measurement_of(model, device, reaching, plan, resampling)
    finally:
        reaching.close()
    measurement.write(report)
    metrics.write_bytes(canonical_json(flat_metrics(measurement)))
