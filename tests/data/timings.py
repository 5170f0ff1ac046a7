"""Timings of processes that never ran, with blocks as a test wants them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from components.artifacts.measurement import Block, LastingLoad, Process

RUNS = 50
"""Samples a block."""


def block(**changes: float | None) -> Block:
    quiet = Block(
        runs=RUNS,
        wall_ms=RUNS * 0.2,
        cpu_ms=RUNS * 0.2,
        voluntary_switches=0,
        involuntary_switches=0,
        psi_cpu_us=0,
    )
    return replace(quiet, **changes)


def process(
    p50s_ms: list[float],
    blocks: list[Block] | None = None,
    seed: int = 0,
    lasting: LastingLoad | None = None,
) -> Process:
    """A process whose blocks have about these medians."""
    random = np.random.default_rng(seed)
    samples = [p50 * (1 + 0.02 * random.standard_normal(RUNS)) for p50 in p50s_ms]
    return Process(
        load_ms=3.0 + seed,
        first_ms=1.0 + seed,
        warmups=1,
        warmups_ms=(0.2,),
        samples_ms=tuple(np.concatenate(samples).tolist()),
        blocks=tuple(blocks or [block() for _ in p50s_ms]),
        machine={"wall_ms": 80.0, "own_cpu_ms": 80.0, "busy_ms": 120.0, "stolen_ms": 0.0},
        baseline_memory_bytes=30_000_000,
        peak_memory_bytes=36_000_000 + seed,
        peak_was_reset=True,
        delegate_partitions=1,
        imported=("ai_edge_litert", "numpy"),
        python="3.11.7",
        lasting=lasting,
    )


def quiet() -> tuple[Process, ...]:
    return tuple(process([0.2] * 8, seed=seed) for seed in range(3))
