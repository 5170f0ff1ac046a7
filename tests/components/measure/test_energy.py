"""Energy an inference takes: with its interval, or the reason why there is none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components.artifacts.measurement import Crash, LastingLoad, Process
from components.devices.power import EnergyReading, MeterError
from components.devices.timing_plan import LastingPlan, TimingPlan
from components.measure.energy import PAIRS, WindowPair, energy_of, summarized
from components.statistics.resampling import Resampling
from tests.components.measure.simulated import SimulatedDevice
from tests.data.timings import process

RESAMPLING = Resampling(resamples=200)


class Loaded:
    """Ten watts, and five more while a model runs."""

    scope, look_s = "CPU package", 0.001

    def __init__(self) -> None:
        self.loads: list[tuple[float, float]] = []

    def reading(self) -> EnergyReading:
        now_s = time.monotonic()
        busy_s = sum(min(now_s, end_s) - start_s for start_s, end_s in self.loads)
        return EnergyReading(now_s, 10 * now_s + 5 * busy_s)


class MeteredDevice(SimulatedDevice):
    """Answers 100 times a second, five watts above the idle ten."""

    def meter(self) -> Loaded:
        self.counter = Loaded()
        return self.counter

    def time(self, model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
        del model, seed
        assert isinstance(plan, LastingPlan)
        assert plan.processes == 1
        self.ran += 1
        if self.ran == self.lost_after:
            return Crash(9, "SIGKILL", "", outside=True)
        start_s = time.monotonic()
        self.counter.loads.append((start_s, start_s + plan.for_s))
        time.sleep(plan.for_s)
        load = LastingLoad(start_s, start_s + plan.for_s, int(100 * plan.for_s), (), ())
        return process([1.0], lasting=load)


def test_what_load_adds_is_told_by_the_inference(tmp_path: Path) -> None:
    device = MeteredDevice([[1.0]])
    found = energy_of(device, tmp_path, TimingPlan(), RESAMPLING, window_s=0.1)
    assert device.ran == PAIRS
    assert found.scope == "CPU package"
    assert found.why_not == ""
    assert found.mj_per_inference is not None
    assert found.mj_per_inference.value == pytest.approx(50.0, rel=0.2)
    assert found.mj_per_inference.low <= found.mj_per_inference.high


def test_a_process_that_dies_gives_no_energy(tmp_path: Path) -> None:
    device = MeteredDevice([[1.0]], lost_after=1)
    found = energy_of(device, tmp_path, TimingPlan(), RESAMPLING, window_s=0.01)
    assert found.mj_per_inference is None
    assert found.why_not == "the process ended with signal 9 (SIGKILL)"


class PluggedIn(Loaded):
    """Somebody puts the cable in, in between."""

    def reading(self) -> EnergyReading:
        if self.loads:
            raise MeterError("not available: the phone charges over its cable")
        return super().reading()


def test_a_counter_that_stops_telling_gives_no_energy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = MeteredDevice([[1.0]])
    monkeypatch.setattr("tests.components.measure.test_energy.Loaded", PluggedIn)
    found = energy_of(device, tmp_path, TimingPlan(), RESAMPLING, window_s=0.05)
    assert (found.mj_per_inference, found.why_not) == (
        None, "not available: the phone charges over its cable",
    )  # fmt: skip
    assert device.ran == 1


def test_a_device_without_a_counter_says_why(tmp_path: Path) -> None:
    found = energy_of(SimulatedDevice([[1.0]]), tmp_path, TimingPlan(), RESAMPLING)
    assert (found.mj_per_inference, found.why_not) == (
        None, "not available: the phone charges over its cable",
    )  # fmt: skip


def test_what_the_idle_device_hides_is_no_number() -> None:
    noisy = [WindowPair(10.0 + off, 100.0, 10.0, 1000) for off in (-0.4, 0.5, -0.3, 0.4, -0.2, 0.1)]
    found = summarized(noisy, "CPU package", RESAMPLING)
    assert found.mj_per_inference is None
    assert "the idle device's own power hides it" in found.why_not
