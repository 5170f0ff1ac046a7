"""Benchmark microcontroller: whether a model runs in TensorFlow Lite Micro, in how much memory."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import (
    FromGraph,
    LiteModelIn,
    MetricsOut,
    PositiveInt,
    ReportOut,
    Seed,
)
from components.devices.accelerators import Accelerator

IMAGE = "device"


def benchmark_microcontroller(
    model: LiteModelIn,
    report: ReportOut,
    metrics: MetricsOut,
    *,
    device: Annotated[str, FromGraph()],
    images: PositiveInt = 16,
    seed: Seed = 0,
    estimate: Accelerator | None = None,
) -> None:
    """Run a converted model in TensorFlow Lite Micro on this machine, and write its firmware files.

    What is found is memory and answers: the smallest arena, the bytes that the model takes of the
    flash, operators that the interpreter does not have, and how far the answers lie from LiteRT's.
    The arena is that of reference kernels on a 64-bit machine. No time is measured: it would be
    that of another processor with other kernels. Where that is asked for, ethos-u-vela reckons the
    cycles that an accelerator would take: they stand apart, and no budget and no choice rests on
    them.

    Args:
        model: The LiteModel.
        report: ``benchmark.json``; ``microcontroller.json``; and ``firmware/``: the model as a C
            array with its header, where it runs.
        metrics: Bytes and differences, flat.
        device: Its name in the configuration.
        images: Synthetic images that the answers are compared on, count.
        seed: Of those.
        estimate: Accelerator for which ethos-u-vela reckons cycles, for the system that it takes
            for granted; int8 files alone run there. None: nothing is reckoned.

    Raises:
        UserError: TensorFlow Lite Micro, or ethos-u-vela, is not installed, or LiteRT itself ends
            with the model.

    References:
        arXiv:2010.08678 (TensorFlow Lite Micro).
    """
    from dataclasses import replace

    from components.artifacts.lite_model import MODEL_FILE
    from components.devices.vela import estimate_cycles
    from components.measure.microcontroller import measured_on_microcontroller
    from components.measure.reporting import write_measurement

    measurement = measured_on_microcontroller(model, report, device, images=images, seed=seed)
    if estimate is not None:
        reckoned = estimate_cycles(model / MODEL_FILE, estimate)
        measurement = replace(measurement, estimate=reckoned)
    write_measurement(measurement, report, metrics)
