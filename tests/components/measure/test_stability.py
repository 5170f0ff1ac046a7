"""The verdict on raw samples: what came between, and what did not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components.artifacts.measurement import Process, States
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
def test_a_clock_that_rises_in_every_process_is_disturbed(drift: float, verdict: str) -> None:
    """Each block lies within 15 % of the median one, and the processes agree."""
    attempt = judge(drifting(-drift))
    assert attempt.verdict == verdict
    assert attempt.evidence.startswith("earlier and later") == (verdict == "disturbed")


def drifting(drift: float, **changes: object) -> tuple[Process, ...]:
    """Processes with nothing beside them that become slower, or faster, by a part."""
    p50s = [1 + abs(drift) * step / 7 for step in range(8)][:: 1 if drift > 0 else -1]
    return alone(tuple(process(p50s, seed=seed) for seed in range(3)), **changes)


def alone(processes: tuple[Process, ...], **changes: object) -> tuple[Process, ...]:
    machine = {"wall_ms": 80.0, "own_cpu_ms": 80.0, "busy_ms": 82.0, "stolen_ms": 0.0}
    return tuple(replace(each, **{"machine": machine, **changes}) for each in processes)


def reference(before_ms: float, after_ms: float) -> dict[str, object]:
    return {"reference_ms_before": before_ms, "reference_ms_after": after_ms}


def test_blocks_that_become_slower_with_nothing_beside_them_are_throttled() -> None:
    attempt = judge(drifting(0.28))
    assert attempt.verdict == "throttled"
    assert attempt.evidence.startswith(
        "the last third of the blocks is slower than the first, from 1 ms"
    )
    assert judge(drifting(0.08)).verdict == "stable"


def test_with_a_processor_that_stays_as_fast_they_are_disturbed() -> None:
    assert judge(drifting(0.28, **reference(4.0, 4.1))).verdict == "disturbed"
    assert judge(drifting(0.28, **reference(4.0, 4.3))).verdict == "throttled"


@pytest.mark.parametrize(
    "machine",
    [
        {"wall_ms": 80.0, "own_cpu_ms": 80.0, "busy_ms": 120.0, "stolen_ms": 0.0},
        {"wall_ms": 80.0, "own_cpu_ms": 80.0, "busy_ms": 82.0, "stolen_ms": 10.0},
    ],
)
def test_under_other_load_slowing_down_is_a_disturbance(machine: dict[str, float]) -> None:
    attempt = judge(drifting(0.28, machine=machine, **reference(4.0, 5.0)))
    assert attempt.verdict == "disturbed"
    assert attempt.evidence.startswith("earlier and later blocks do not agree")


def test_a_reference_loop_that_slows_down_is_throttling() -> None:
    slowed = alone(quiet(), **reference(4.0, 4.6))
    attempt = judge(slowed)
    assert attempt.verdict == "throttled"
    assert attempt.evidence.startswith("the reference loop slowed down, from 4 ms to 4.6 ms;")
    assert judge((slowed[0], *alone(quiet()[1:], **reference(4.0, 4.1)))).verdict == "stable"


def test_a_device_that_is_slow_from_the_start_is_known_by_its_best() -> None:
    hot = alone(quiet(), **reference(4.6, 4.6))
    assert judge(hot).verdict == "stable"
    assert judge(hot, best_reference_ms=4.0).verdict == "throttled"


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ({"thermal_status": 0.0}, {"thermal_status": 2.0}, "its thermal status was 2"),
        ({"throttled_bits": 0.0}, {"throttled_bits": 4.0}, "get_throttled told 0x4"),
        ({"throttled_bits": 0.0}, {"throttled_bits": float(0x40000)}, "get_throttled told 0x40000"),
        (
            {"max_frequency_mhz": 2400.0},
            {"max_frequency_mhz": 1800.0},
            "its highest clock fell from 2400 to 1800 MHz",
        ),
    ],
)
def test_a_device_that_says_so_is_throttled_whatever_else_runs(
    first: dict[str, float], last: dict[str, float], told: str
) -> None:
    states = (States(first, first), States(first, last))
    attempt = judge(quiet(), states)
    assert attempt.verdict == "throttled"
    assert attempt.evidence.startswith(f"{told}; 24 of 24 blocks undisturbed")
    assert judge(quiet(), (States(first, first),)).verdict == "stable"


def test_what_was_throttled_before_is_none_of_this_measurement() -> None:
    earlier = {"throttled_bits": float(0x50000)}
    assert judge(quiet(), (States(earlier, earlier),)).verdict == "stable"


def test_one_slow_process_and_a_little_core_are_disturbances() -> None:
    slow = process([0.25] * 8, seed=3)
    little = process([0.6] * 8, seed=3)
    fast = alone(quiet()[:2], **reference(4.0, 4.0))
    assert judge((*fast, *alone((slow,), **reference(4.0, 4.0)))).verdict == "disturbed"
    assert judge((*fast, *alone((little,), **reference(12.0, 12.0)))).verdict == "disturbed"


def test_stable_says_where_nobody_knows_of_throttling() -> None:
    unknown = "throttling unknown: neither clocks nor a thermal status can be read"
    read = States({"thermal_status": 0.0}, {"thermal_status": 0.0})
    refused = States({"thermal_status": "denied"}, {"frequency_mhz": "denied"})
    assert unknown in judge(quiet()).evidence
    assert unknown in judge(quiet(), (refused,)).evidence
    assert unknown not in judge(quiet(), (read,)).evidence


def test_a_device_that_hides_what_its_processors_do_is_judged_by_the_rest() -> None:
    hidden = alone(with_blocks(8, psi_cpu_us=None), machine={"wall_ms": 80.0, "own_cpu_ms": 80.0})
    assert judge(hidden).verdict == "stable"


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
