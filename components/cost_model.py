"""Cost model: what small networks cost on a device, so that others' costs can be predicted."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import CostSamplesIn, FromGraph, MetricsOut, ReportOut
from components.devices.timing_plan import TimingPlan
from components.statistics.resampling import Resampling

IMAGE = "device"
OCCUPIES = "device"


def cost_model(
    samples: CostSamplesIn,
    report: ReportOut,
    metrics: MetricsOut,
    *,
    device: Annotated[str, FromGraph()] = "host",
    plan: TimingPlan = TimingPlan(),
    resampling: Resampling = Resampling(),
) -> None:
    """Time small networks one after the other and fit their times to what they compute.

    Each is timed as ``benchmark`` times a variant, and its raw samples are kept. The time is a
    constant and a weighted sum of multiply-accumulates (in full tiles of 16 output channels, which
    kernels compute at once), numbers put out, layers with weights, and weights, which each
    inference reads; the length of the file one of its weights and layers. How far that can be
    believed is told by predicting each network from all others.

    Args:
        samples: LiteModels with what was counted of them.
        report: ``cost_model.json``, and ``benchmark.json`` of every network below its name.
        metrics: The errors of the predictions, flat.
        device: What this machine is called in the report.
        plan: How each network is timed.
        resampling: How intervals are made.

    Raises:
        UserError: Too few networks could be timed, more threads than cores, or a plan longer than
            its limit.

    References:
        arXiv:2002.03494 (activations tell the time of inference better than multiply-accumulates).
    """
    from components.contract.digests import canonical_json
    from components.measure.cost_fitting import fit_costs

    model, found = fit_costs(samples, report, device, plan, resampling)
    model.write(report)
    metrics.write_bytes(canonical_json(found))
