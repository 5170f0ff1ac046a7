"""The report of ``cost_model``: what networks cost on a device, predicted from counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from components.artifacts.json_file import JsonFile
from components.artifacts.measurement import Stability
from components.statistics.linear_fit import LinearFit, fitted

LATENCY_COUNTS = ("padded_macs", "activations", "kernels", "parameters")
SIZE_COUNTS = ("int8_bytes", "parameters", "kernels")
LEAST_SAMPLES = 8
"""Fewer measured networks than this make no model."""


@dataclass(frozen=True)
class TimedSample:
    """One network that was timed.

    Attributes:
        name: Of the sample.
        counts: What it computes and holds.
        latency_ms: Median, milliseconds.
        low_ms: Lower end of its interval.
        high_ms: Upper end.
        size_bytes: Length of its file.
        verdict: Whether the measurement can be believed.
        evidence: What that rests on.
    """

    name: str
    counts: Mapping[str, int]
    latency_ms: float
    low_ms: float
    high_ms: float
    size_bytes: int
    verdict: Stability
    evidence: str


@dataclass(frozen=True)
class CostModel(JsonFile):
    """The content of ``cost_model.json``.

    Attributes:
        device: Its name.
        fingerprint: What makes times comparable with those of another measurement.
        threads: Of the runtime.
        scheme: In which precision the networks compute, and so what is predicted.
        samples: What was measured.
        left_out: By name of a network why it is not in the fit.
        latency: Milliseconds, from ``LATENCY_COUNTS``.
        size: Bytes of the file, from ``SIZE_COUNTS``.
    """

    FILE: ClassVar[str] = "cost_model.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "cost model"
    FIX_ABSENT: ClassVar[str] = "give the report of cost_model"
    FIX_VERSION: ClassVar[str] = "run cost_model again"

    device: str
    fingerprint: Mapping[str, str]
    threads: int
    scheme: str
    samples: tuple[TimedSample, ...]
    left_out: Mapping[str, str]
    latency: LinearFit
    size: LinearFit

    def latency_ms(self, counts: Mapping[str, float]) -> float:
        """Return the predicted median of a network's inference in milliseconds."""
        return self.latency.predict(counts)

    def size_bytes(self, counts: Mapping[str, float]) -> float:
        """Return the predicted length of a network's file in bytes."""
        return self.size.predict(counts)

    @property
    def in_words(self) -> str:
        """How far its predictions can be believed."""
        fit = self.latency
        return (
            f"predicted from {len(self.samples)} networks timed on {self.device}: median error "
            f"{fit.median_error:.0%} of networks left out, rank correlation "
            f"{fit.rank_correlation:.3f}"
        )


def fits_of(samples: tuple[TimedSample, ...]) -> tuple[LinearFit, LinearFit]:
    """Return the fits of latency and size; at least ``LEAST_SAMPLES`` are needed."""
    assert len(samples) >= LEAST_SAMPLES, "too few samples"
    counts = [sample.counts for sample in samples]
    return (
        fitted(counts, [sample.latency_ms for sample in samples], LATENCY_COUNTS),
        fitted(counts, [float(sample.size_bytes) for sample in samples], SIZE_COUNTS),
    )
