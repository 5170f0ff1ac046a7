"""Benchmark over ssh: how fast a converted model is on a board."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import FromGraph, LiteModelIn, MetricsOut, ReportOut, SourceIn
from components.devices.remote.settings import SshSettings
from components.devices.timing_plan import TimingPlan
from components.statistics.resampling import Resampling

IMAGE = "device"
OCCUPIES = "device"
TIME_LIMIT_S = 3 * 3600  # up to an hour of it for somebody else who measures there


def benchmark_ssh(
    model: LiteModelIn,
    report: ReportOut,
    metrics: MetricsOut,
    runner: SourceIn | None = None,
    *,
    device: Annotated[str, FromGraph()],
    reached: SshSettings,
    plan: TimingPlan = TimingPlan(),
    resampling: Resampling = Resampling(),
    sustained: bool = False,
    energy: bool = False,
    operators: bool = True,
) -> None:
    """Time a converted model on a board, as ``benchmark`` does on this machine.

    The runtime is brought there once; every process gets a folder of its own, which goes with it.
    Nothing is installed, no other folder is written to, and no rights are needed. A ``runner``
    needs no Python there: it is started 11 times, and the median of its medians counts.

    Args:
        model: The LiteModel.
        report: ``benchmark.json``.
        metrics: The summary, flat.
        runner: A ``benchmark_model`` of LiteRT or TensorFlow Lite, built for that device, which
            measures in place of slimline's own probe.
        device: Its name in the configuration.
        reached: How it is reached.
        plan: How the model is timed.
        resampling: How intervals are made.
        sustained: Also run the model for five minutes without a pause; the median of the last
            minute stands beside that of the first.
        energy: Also measure, for two minutes, what an inference takes above the idle device, where
            it has a sensor that may be read.
        operators: Ask a ``runner`` what each operator takes, too, in one process more; nothing else
            there tells it.

    Raises:
        UserError: It cannot be reached, or cannot run the runtime or the runner; there are fewer
            cores than threads; the plan is longer than its limit; the device went away in between.
    """
    from components.devices.remote.runner.given import check_given, runner_in
    from components.devices.remote.ssh_device import open_ssh
    from components.measure.with_runner import report_behind_shell

    check_given(device, reached, runner=runner is not None, sustained=sustained, energy=energy)
    program = runner and runner_in(runner)
    report_behind_shell(
        open_ssh(device, reached, program, operators=operators), device, model, report, metrics,
        plan, resampling, sustained=sustained, energy=energy, operators=operators,
    )  # fmt: skip
