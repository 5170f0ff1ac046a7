"""Runner medians: verdicts, intervals by order, and what is said beside them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from components.artifacts.measurement import Process, States
from components.artifacts.runner_summary import RunnerSummary
from components.measure.runner_medians import judge_runner, summary_of_runner
from components.measure.stability import judge
from components.measure.with_runner import IN_A_SHELL, notes_on
from components.statistics.resampling import Resampling
from tests.data.timings import process as probed

STEADY = (4.20, 4.23, 4.19, 4.21, 4.205, 4.25, 4.18, 4.22, 4.215, 4.195, 4.2)
COOL = {"thermal_status": 0.0}


def process(median_ms: float | None, step_ms: float = 0.001) -> Process:
    middle = 4.2 if median_ms is None else median_ms
    return Process(
        load_ms=34.5,
        first_ms=5.0,
        warmups=9,
        warmups_ms=(),
        samples_ms=(),
        blocks=(),
        machine={},
        baseline_memory_bytes=None,
        peak_memory_bytes=None,
        peak_was_reset=False,
        delegate_partitions=None,
        imported=(),
        python="",
        runner=RunnerSummary(
            program="tflite",
            runs=52,
            mean_ms=middle + 0.01,
            median_ms=median_ms,
            p5_ms=None,
            p95_ms=None,
            min_ms=middle - 0.1,
            max_ms=middle + 0.1,
            std_ms=0.01,
            resolution_ms=step_ms,
            footprint_bytes=1000,
            accelerator="cpu",
            evidence="XNNPACK",
        ),
    )


def processes(medians_ms: Sequence[float | None], step_ms: float = 0.001) -> tuple[Process, ...]:
    return tuple(process(median_ms, step_ms) for median_ms in medians_ms)


def cool(count: int = 11) -> list[States]:
    return [States(COOL, COOL)] * count


def test_medians_that_agree_are_stable():
    found = judge_runner(processes(STEADY), cool())
    assert found.verdict == "stable"
    assert "medians of 11 processes" in found.evidence
    assert "572 inferences" in found.evidence
    assert judge(processes(STEADY), cool()) == found


def test_one_process_that_met_with_something_changes_nothing():
    hit = (*STEADY[:10], 9.0)
    assert judge_runner(processes(hit), cool()).verdict == "stable"
    summary = summary_of_runner(processes(hit), Resampling())
    assert summary is not None
    assert summary.p50_ms.high < 4.3


def test_two_of_them_are_a_disturbance():
    hit = (9.0, *STEADY[1:10], 9.0)
    found = judge_runner(processes(hit), cool())
    assert (found.verdict, "do not agree" in found.evidence) == ("disturbed", True)


def test_later_processes_that_are_slower_are_throttled():
    hot = tuple(4.0 + 0.1 * number for number in range(11))
    found = judge_runner(processes(hot), cool())
    assert found.verdict == "throttled"
    assert "last third of the processes is slower" in found.evidence


def test_a_phone_that_says_that_it_is_hot_is_throttled():
    states = [*cool(10), States(COOL, {"thermal_status": 2.0})]
    assert judge_runner(processes(STEADY), states).verdict == "throttled"


def test_an_interval_by_order_and_by_the_steps_of_the_clock():
    summary = summary_of_runner(processes(STEADY, step_ms=0.01), Resampling())
    assert summary is not None
    assert summary.p50_ms.value == 4.205
    assert summary.p50_ms.low == pytest.approx(4.19 - 0.01)
    assert summary.p50_ms.high == pytest.approx(4.23 + 0.01)
    assert (summary.p90_ms, summary.p99_ms, summary.samples) == (None, None, 572)
    assert summary.peak_memory_bytes == 1000


def test_a_program_without_medians_decides_no_budget():
    found = judge_runner(processes((None,) * 11), cool())
    assert found.verdict == "absent"
    assert "tells no median" in found.evidence
    assert "4.21 ms" in found.evidence
    assert summary_of_runner(processes((None,) * 11), Resampling()) is None


def test_a_process_of_a_runner_is_read_as_it_was_written():
    from dataclasses import asdict

    written = process(4.2)
    assert Process.from_json(asdict(written)) == written
    assert Process.from_json({**asdict(probed([1.0] * 8)), "unknown": 1}).runner is None


@pytest.mark.parametrize(
    ("accelerator", "median_ms", "notes"),
    [("cpu", 0.1, 0), ("gpu", 4.2, 1), ("gpu", 0.4, 2), ("npu", 0.4, 0)],
)
def test_what_is_said_beside_the_numbers_of_a_gpu(accelerator, median_ms, notes):
    summary = summary_of_runner(processes((median_ms,) * 11), Resampling())
    found = notes_on(accelerator, summary)
    assert len(found) == notes
    assert found[:1] == ((IN_A_SHELL,) if notes else ())
    assert notes_on(accelerator, None) == ()
