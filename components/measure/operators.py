"""Operators: where the time of a model goes on this machine, beside what it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.measurement import Measurement
from components.devices.host_operators import operators_here


def with_operators(measurement: Measurement, model: Path) -> Measurement:
    """Return a measurement with what each operator takes, or why that is unknown.

    Args:
        measurement: Made on this machine; one without a summary stays as it is.
        model: Folder of the LiteModel.
    """
    summary = measurement.summary
    if summary is None:
        return measurement
    times = operators_here(model / MODEL_FILE, measurement.threads, summary.p50_ms.value)
    return replace(measurement, operators=times)
