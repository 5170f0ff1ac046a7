"""Benchmark results: what a model was found to take on a device that was measured elsewhere."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import FromGraph, LiteModelIn, MetricsOut, ReportOut, SourceIn
from components.statistics.resampling import Resampling

IMAGE = "light"


def benchmark_results(
    model: LiteModelIn,
    given: SourceIn,
    report: ReportOut,
    metrics: MetricsOut,
    *,
    device: Annotated[str, FromGraph()],
    resampling: Resampling = Resampling(),
) -> None:
    """Take the measurements of a model out of a file that another program or service wrote.

    They count for the file of the sha256 that they name and for no other, and decide budgets like
    those of any device; everything that shows them says that they were given. A model that the file
    does not measure is no fault: what is not known of it decides nothing.

    Args:
        model: The LiteModel.
        given: A ``.json`` or ``.csv`` file of measurements.
        report: ``benchmark.json``.
        metrics: The summary, flat.
        device: Its name in the configuration.
        resampling: How intervals are made.

    Raises:
        UserError: The file is damaged, or what it says of this model has no interval.
    """
    from components.contract.source import Source
    from components.measure.given import measurement_given
    from components.measure.reporting import write_measurement

    measurement = measurement_given(model, Source.open(given), device, resampling)
    write_measurement(measurement, report, metrics)
