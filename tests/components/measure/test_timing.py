"""Attempts, repeated when disturbed or ended, and what is derived from raw samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.measurement import Attempt, MeasuredDevice, Measurement
from components.contract.errors import UserError
from components.devices import host
from components.devices.device import State
from components.devices.fingerprint import usable_cores
from components.devices.host import Host
from components.devices.timing_plan import TimingPlan
from components.measure import stability
from components.measure.measuring import measurement_of
from components.measure.timing import flat_metrics, measure, summarize
from components.statistics.resampling import Resampling
from tests.components.devices.killing import killed
from tests.components.devices.pressure import pressure
from tests.components.measure.simulated import SimulatedDevice
from tests.data.timings import block, process, quiet
from tests.data.tiny_lite import write_lite

PLAN = TimingPlan(threads=1, processes=2, blocks=3, block_ms=1, warm_up_ms=1, limit_s=60)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    return write_lite(tmp_path_factory.mktemp("small") / "lite", weights, (8, 8, 1)) / (
        "model.tflite"
    )


def test_the_summary_follows_from_the_samples() -> None:
    processes = quiet()
    summary = summarize(processes, Resampling(resamples=300))
    samples = np.sort(np.concatenate([each.samples_ms for each in processes]))
    assert summary.samples == samples.size == 1200
    assert summary.p50_ms.value == samples[599]
    assert summary.p90_ms is not None
    assert summary.p90_ms.value == samples[1079]
    assert summary.p99_ms is not None
    assert summary.p99_ms.value == samples[1187]
    for found in (summary.p50_ms, summary.p90_ms, summary.p99_ms):
        assert found.low <= found.value <= found.high
    medians = [each.p50_ms for each in processes]
    assert summary.spread_ms == max(medians) - min(medians)
    assert (summary.load_ms, summary.first_ms) == (4.0, 2.0)
    assert summary.peak_memory_bytes == 6_000_002


@pytest.mark.parametrize(
    ("runs", "has_p90", "has_p99"),
    [(63, False, False), (64, True, False), (661, True, False), (662, True, True)],
)
def test_a_tail_of_too_few_samples_is_not_told(runs: int, has_p90: bool, has_p99: bool) -> None:
    one = replace(
        process([0.2]), samples_ms=tuple(np.linspace(0.1, 0.3, runs)), blocks=(block(runs=runs),)
    )
    summary = summarize((one,), Resampling(resamples=20, confidence=0.9))
    assert (summary.p90_ms is not None, summary.p99_ms is not None) == (has_p90, has_p99)


def test_the_interval_spans_processes_that_disagree() -> None:
    """Drawn one by one, as a mutation would, 800 samples make any interval look narrow."""
    processes = process([0.2] * 8, seed=1), process([0.24] * 8, seed=2)
    p50 = summarize(processes, Resampling(resamples=400)).p50_ms
    assert p50.low == pytest.approx(0.2, rel=0.02)
    assert p50.high == pytest.approx(0.24, rel=0.02)


def test_more_blocks_make_the_interval_narrower() -> None:
    random = np.random.default_rng(0)

    def width(blocks: int) -> float:
        p50s = (0.2 * (1 + 0.1 * random.standard_normal(blocks))).tolist()
        found = summarize((process(p50s),), Resampling(resamples=400)).p50_ms
        return found.high - found.low

    assert width(64) < 0.6 * width(4)


def test_flat_metrics_hold_numbers_alone() -> None:
    processes = quiet()
    measurement = Measurement(
        device=MeasuredDevice("host", {}),
        threads=1,
        model_sha256="00",
        size_bytes=9,
        gzip_bytes=8,
        runtime={},
        processes=processes,
        attempts=(Attempt("disturbed", "noise"),),
        crashed=None,
        summary=summarize(processes, Resampling(resamples=20, confidence=0.9)),
    )
    flat = flat_metrics(measurement)
    assert all(isinstance(value, int | float) for value in flat.values())
    assert flat["disturbed"] == 1
    assert flat["p50_ms_low"] <= flat["p50_ms"] <= flat["p50_ms_high"]
    assert flat_metrics(replace(measurement, summary=None)) == {
        "size_bytes": 9, "gzip_bytes": 8, "crashed": 1,
    }  # fmt: skip


def test_every_process_is_a_fresh_one(model: Path) -> None:
    outcome = measure(Host(), model, replace(PLAN, processes=3), seed=0)
    assert len(outcome.processes) == 3
    assert outcome.crashed is None
    assert len(outcome.states) == 3
    assert all("load_1min" in each.before for each in outcome.states)
    assert outcome.attempts[-1].verdict in ("stable", "disturbed", "throttled")
    # A second load in one process would not have to map the file or pack the weights again.
    assert all(each.peak_memory_bytes > each.baseline_memory_bytes for each in outcome.processes)


def test_a_model_that_kills_its_process_is_measured_as_crashed(tmp_path: Path) -> None:
    lite = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), kills=True)
    outcome = measure(Host(), lite / "model.tflite", PLAN, seed=0)
    assert outcome.crashed is not None
    assert not outcome.crashed.outside
    assert [attempt.verdict for attempt in outcome.attempts] == ["crashed"]
    assert "signal 11 (SIGSEGV)" in outcome.attempts[-1].evidence
    assert outcome.processes == ()


def test_a_process_that_is_killed_has_a_fresh_one_in_its_place(model: Path) -> None:
    with killed(str(model), times=1) as pids:
        outcome = measure(Host(), model, PLAN, seed=0)
    assert len(pids) == 1
    assert outcome.crashed is None
    assert len(outcome.processes) == PLAN.processes
    assert outcome.attempts[0] == Attempt(
        "killed", "signal 9 (SIGKILL), and not in a fresh process"
    )
    assert outcome.attempts[-1].verdict in ("stable", "disturbed", "throttled")


def test_what_is_killed_twice_running_is_no_result(model: Path) -> None:
    with killed(str(model), times=2) as pids:
        outcome = measure(Host(), model, PLAN, seed=0)
    assert len(pids) == 2
    assert outcome.crashed is not None
    assert outcome.crashed.outside
    assert outcome.attempts == (
        Attempt("killed", "signal 9 (SIGKILL), twice; not kept: the next run measures it again"),
    )


def test_more_threads_than_cores_are_not_measured(model: Path) -> None:
    with pytest.raises(UserError, match="threads that wait for each other"):
        measure(Host(), model, replace(PLAN, threads=usable_cores() + 1), seed=0)


@pytest.fixture
def judged_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any share of waiting, even none, too much."""
    monkeypatch.setattr(stability, "MOST_DISTURBED", -1)


@pytest.mark.usefixtures("judged_disturbed")
def test_a_disturbed_attempt_is_repeated_when_the_machine_is_quiet(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "PRESSURE", pressure(tmp_path / "cpu", 7))  # does not rise
    outcome = measure(Host(), model, replace(PLAN, processes=1), seed=0)
    assert [attempt.verdict for attempt in outcome.attempts] == ["disturbed"] * 3
    assert len(outcome.processes) == 1


@pytest.mark.usefixtures("judged_disturbed")
def test_it_is_not_repeated_on_a_machine_that_stays_crowded(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "is_quiet", lambda wait_s: False)
    outcome = measure(Host(), model, replace(PLAN, processes=1), seed=0)
    assert [attempt.verdict for attempt in outcome.attempts] == ["disturbed"]


THREE = TimingPlan(processes=3)
STEADY = [1.0] * 8


def verdicts(device: SimulatedDevice) -> list[str]:
    outcome = measure(device, Path("model.tflite"), THREE, seed=0)
    return [attempt.verdict for attempt in outcome.attempts]


def test_a_cool_device_is_measured_once() -> None:
    device = SimulatedDevice([STEADY])
    outcome = measure(device, Path("model.tflite"), THREE, seed=0)
    assert [attempt.verdict for attempt in outcome.attempts] == ["stable"]
    assert device.waited_s == [300.0]
    assert "throttling unknown" not in outcome.attempts[-1].evidence
    assert len(outcome.states) == len(outcome.processes) == 3


def test_a_device_that_throttles_is_measured_again_when_it_is_cool() -> None:
    def hot(processes_run: int) -> State:
        return {"thermal_status": 1.0 if 1 < processes_run < 4 else 0.0}

    device = SimulatedDevice([STEADY], states=hot)
    assert verdicts(device) == ["throttled", "throttled", "stable"]
    assert device.waited_s == [300.0] * 3
    assert verdicts(SimulatedDevice([STEADY], states=lambda _: {"thermal_status": 1.0})) == (
        ["throttled"] * 3
    )


def test_one_that_stays_hot_is_not_measured_again() -> None:
    device = SimulatedDevice(
        [STEADY], states=lambda _: {"thermal_status": 1.0}, settles=(True, False)
    )
    assert verdicts(device) == ["throttled"]


def test_one_that_an_earlier_model_left_hot_is_known_by_its_best() -> None:
    unknown = {"states": lambda _: {}, "waits_s": (0.0,), "loop_ms": 4.6}
    assert verdicts(SimulatedDevice([STEADY], **unknown)) == ["stable"]
    assert verdicts(SimulatedDevice([STEADY], **unknown, best_ms=4.0)) == ["throttled"]


def test_one_that_never_becomes_cool_is_not_measured() -> None:
    device = SimulatedDevice([STEADY], settles=(False,))
    with pytest.raises(UserError, match="not cool and quiet after 300 s") as fault:
        measure(device, Path("model.tflite"), THREE, seed=0)
    assert "cooldown_s" in fault.value.fix
    assert device.ran == 0
    device = SimulatedDevice([STEADY], settles=(False, True))  # it has cooled down
    with pytest.raises(UserError, match="the device is not cool"):
        measure(device, Path("model.tflite"), THREE, seed=0)
    assert measure(device, Path("model.tflite"), THREE, seed=0).attempts[-1].verdict == "stable"


@pytest.mark.parametrize(
    "p50s_ms",
    [
        pytest.param([[1 + 0.28 * step / 7 for step in range(8)]], id="drift of 28 %"),
        pytest.param([STEADY, [1.25] * 8, [1.25] * 8], id="two of three slower"),
        pytest.param([STEADY, STEADY, [3.0] * 8], id="one on a little core"),
    ],
)
def test_what_no_median_stands_for_is_not_stable(p50s_ms: list[list[float]]) -> None:
    assert verdicts(SimulatedDevice(p50s_ms)) == ["disturbed"] * 3


def test_who_is_not_cool_is_named(model: Path) -> None:
    hot = SimulatedDevice([STEADY], settles=(False,))
    with pytest.raises(UserError, match="s21 is not cool and quiet after 300 s"):
        measurement_of(model.parent, "s21", hot, THREE, Resampling())


def test_a_device_that_goes_away_is_a_fault_with_its_name(model: Path) -> None:
    device = SimulatedDevice([STEADY], lost_after=1)
    with pytest.raises(UserError, match="s21 went away while it was measured: no answer") as fault:
        measurement_of(model.parent, "s21", device, THREE, Resampling())
    assert "cable, hub and power" in fault.value.fix
    device.lost_after = None  # plugged in again
    found = measurement_of(model.parent, "s21", device, THREE, Resampling(resamples=20))
    assert found.verdict == "stable"
    assert (found.device.kind, found.device.id, found.device.transport) == ("adb", "c0ffee", "adb")
    assert found.runtime["sha256"] == "ab" * 32
