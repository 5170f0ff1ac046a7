"""Load that lasts: the last minute beside the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts.measurement import LastingLoad, Process
from components.devices.host import Host
from components.devices.timing_plan import TimingPlan
from components.measure.energy import lasting_plan
from components.measure.sustained import compared, sustained_of
from components.statistics.resampling import Resampling
from tests.data.tiny_lite import write_lite

RESAMPLING = Resampling(resamples=200)
PLAN = TimingPlan(threads=1, processes=2, blocks=3, block_ms=1, warm_up_ms=1, limit_s=60)


def test_a_device_that_becomes_hot_is_slower_in_the_last_minute() -> None:
    ends_s = tuple(float(second) for second in range(1, 301))
    medians_ms = (1.0,) * 150 + (1.5,) * 150
    found = compared(LastingLoad(7.0, 307.0, 250_000, ends_s, medians_ms), RESAMPLING)
    assert found.seconds == 300.0
    assert found.first_p50_ms is not None
    assert found.p50_ms is not None
    assert (found.first_p50_ms.value, found.p50_ms.value) == (1.0, 1.5)
    assert (found.p50_ms.low, found.p50_ms.high) == (1.5, 1.5)
    assert found.why_not == ""


def test_the_probe_runs_for_as_long_as_it_is_told(tmp_path: Path) -> None:
    lite = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1))
    ran = Host().time(lite / "model.tflite", lasting_plan(PLAN, 0.5), seed=0)
    assert isinstance(ran, Process)
    load = ran.lasting
    assert load is not None
    assert load.end_s - load.start_s == pytest.approx(0.5, abs=0.2)
    assert len(load.ends_s) == len(load.medians_ms) > 10
    assert load.inferences > 100
    found = sustained_of(Host(), lite / "model.tflite", PLAN, RESAMPLING, for_s=0.2)
    assert found.p50_ms is not None


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    lite = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), kills=True)
    found = sustained_of(Host(), lite / "model.tflite", PLAN, RESAMPLING, for_s=0.2)
    assert found.p50_ms is None
    assert found.why_not == "the process ended with signal 11 (SIGSEGV)"
