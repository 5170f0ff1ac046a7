"""Reporting: what every component that measures a model leaves behind, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from components.artifacts.measurement import Measurement
from components.contract.digests import canonical_json
from components.measure.timing import flat_metrics


def write_measurement(
    measurement: Measurement,
    report: Path,
    metrics: Path,
    more: Mapping[str, float] | None = None,
) -> None:
    """Write a measurement as a report, and its summary as metrics.

    Args:
        measurement: Of one model on one device.
        report: Folder of ``benchmark.json``; made where it is not there.
        metrics: The file of numbers by name.
        more: Further numbers for it.
    """
    measurement.write(report)
    metrics.write_bytes(canonical_json({**flat_metrics(measurement), **(more or {})}))
