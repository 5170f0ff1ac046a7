"""What a device with a runner does not measure, and one without cannot; loads nothing."""

from __future__ import annotations

from typing import Final

SUSTAINED: Final = (
    "a runner tells one median a process, so nobody knows its last minute",
    "remove sustained, or runner",
)
ENERGY: Final = (
    "energy is measured around slimline's own probe, not around a runner",
    "remove energy, or runner",
)
LIBRARIES: Final = (
    "libraries are those of a runner, and there is none",
    "write runner: ./benchmark_model, or remove libraries",
)
OPERATORS: Final = (
    "what an operator takes is told by a runner alone on a device behind a shell",
    "write runner: ./benchmark_model, or remove operators",
)
"""What is wrong, and the fix."""


def without_runner(accelerator: str) -> tuple[str, str]:
    """Return what is wrong with another accelerator than the processor, and the fix."""
    return (
        f"accelerator: {accelerator} needs a runner: slimline's probe computes on the processor",
        "give the benchmark_model of that device: runner: ./benchmark_model; or remove accelerator",
    )
