"""Runner summary: what a ``benchmark_model`` tells of one process of its own: no samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunnerSummary:
    """Steady inferences of one process, summed up by the program that timed them.

    Attributes:
        program: ``tflite`` or ``litert``: two programs carry the name ``benchmark_model``.
        runs: Inferences that were timed.
        mean_ms: Of them.
        median_ms: None of a program that tells none, such as one of before 2024.
        p5_ms: None likewise.
        p95_ms: None likewise.
        min_ms: The fastest.
        max_ms: The slowest.
        std_ms: Standard deviation.
        resolution_ms: Steps in which it tells them: the true ones lie less than one away.
        footprint_bytes: By how much the peak of resident memory grew from the start of the program;
            None where it does not say.
        accelerator: What computed: ``cpu``, ``gpu`` or ``npu``.
        evidence: How that is known, in the program's words.
    """

    program: str
    runs: int
    mean_ms: float
    median_ms: float | None
    p5_ms: float | None
    p95_ms: float | None
    min_ms: float
    max_ms: float
    std_ms: float
    resolution_ms: float
    footprint_bytes: int | None
    accelerator: str
    evidence: str
