"""The verdict on raw samples: what came between, and what did not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components.artifacts.measurement import Process
from components.measure.stability import judge
from tests.data.timings import RUNS, block, process, quiet


def test_a_quiet_machine_is_stable() -> None:
    attempt = judge(quiet())
    assert attempt.verdict == "stable"
    assert attempt.evidence.startswith("24 of 24 blocks undisturbed (0 interrupted, 0 more than")
    assert (
        "waited for a processor 0% of the time; other programs kept 0.5 cores" in attempt.evidence
    )


def with_blocks(count: int, **changes: float | None) -> tuple[Process, ...]:
    """``quiet`` with the first ``count`` blocks of every process changed."""
    blocks = [block(**changes) for _ in range(count)] + [block() for _ in range(8 - count)]
    return tuple(replace(each, blocks=tuple(blocks)) for each in quiet())


@pytest.mark.parametrize(("count", "verdict"), [(2, "stable"), (3, "disturbed")])
def test_a_third_of_the_blocks_may_be_interrupted(count: int, verdict: str) -> None:
    assert judge(with_blocks(count, involuntary_switches=RUNS // 4)).verdict == verdict


def test_a_switch_now_and_then_moves_no_median() -> None:
    assert judge(with_blocks(8, involuntary_switches=RUNS // 10)).verdict == "stable"


@pytest.mark.parametrize(("count", "verdict"), [(2, "stable"), (3, "disturbed")])
def test_a_third_of_the_blocks_may_lie_off(count: int, verdict: str) -> None:
    p50s = [0.3] * count + [0.2] * (8 - count)
    attempt = judge(tuple(process(p50s, seed=seed) for seed in range(3)))
    assert attempt.verdict == verdict
    assert f"{3 * count} more than 30% off" in attempt.evidence


def test_processes_that_disagree_are_disturbed() -> None:
    slow = process([0.4] * 8, seed=3)
    attempt = judge((*quiet()[:2], slow, slow))
    assert attempt.verdict == "disturbed"
    assert "4 processes 10" in attempt.evidence  # about 100 % apart


@pytest.mark.parametrize(
    ("p50s_ms", "verdict"),
    [
        ((1.0, 1.0, 3.0), "disturbed"),  # of five processes it was, of three a third of the blocks
        ((1.0, 1.14, 1.28), "disturbed"),
        ((1.0, 1.0, 1.15), "disturbed"),
        ((1.0, 1.04, 1.07), "stable"),
        ((0.004, 0.005, 0.012), "stable"),  # 8 microseconds
        ((0.0400, 0.0400, 0.0480), "stable"),  # 20 %, and 8 microseconds
        ((0.0400, 0.0400, 0.0520), "disturbed"),
    ],
)
def test_processes_a_tenth_and_ten_microseconds_apart_are_disturbed(
    p50s_ms: tuple[float, ...], verdict: str
) -> None:
    attempt = judge(tuple(process([p50] * 8, seed=seed) for seed, p50 in enumerate(p50s_ms)))
    assert attempt.verdict == verdict


@pytest.mark.parametrize(("drift", "verdict"), [(0.28, "disturbed"), (0.08, "stable")])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_that_falls_in_every_process_is_disturbed(
    drift: float, verdict: str, sign: int
) -> None:
    """Each block lies within 15 % of the median one, and the processes agree."""
    p50s = [1 + drift * step / 7 for step in range(8)][::sign]
    attempt = judge(tuple(process(p50s, seed=seed) for seed in range(3)))
    assert attempt.verdict == verdict
    assert attempt.evidence.startswith("earlier and later") == (verdict == "disturbed")


def test_one_block_has_no_halves() -> None:
    assert judge((process([1.0]),)).verdict == "stable"


@pytest.mark.parametrize(("share", "verdict"), [(0.4, "stable"), (0.6, "disturbed")])
def test_a_crowded_machine_is_disturbed_however_well_blocks_agree(
    share: float, verdict: str
) -> None:
    wall_us = block().wall_ms * 1e3
    assert judge(with_blocks(8, psi_cpu_us=share * wall_us)).verdict == verdict


def test_without_pressure_figures_the_blocks_decide() -> None:
    attempt = judge(with_blocks(8, psi_cpu_us=None))
    assert attempt.verdict == "stable"
    assert "an unknown part of the time" in attempt.evidence
