"""Operators of this machine: LiteRT's own profiler on real models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts.operators import OperatorTime, OperatorTimes
from components.contract.closure import closure_of
from components.devices.host_operators import SOURCE, judged, operators_here
from tests.data.tiny_lite import write_lite


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One operator of some 0.1 ms: long enough for the profiler's clock."""
    weights = np.random.default_rng(0).normal(size=(256, 64 * 64))
    return write_lite(tmp_path_factory.mktemp("large") / "lite", weights, (64, 64, 1))


def test_the_operators_of_a_model(model: Path) -> None:
    found = operators_here(model / "model.tflite", 1, None)
    assert found.why_not == ""
    assert found.source == SOURCE
    assert found.runs >= 10
    assert any("Fully Connected" in each.kind for each in found.operators)
    most = max(found.operators, key=lambda each: each.ms)
    assert "Fully Connected" in most.kind
    assert found.sum_ms == pytest.approx(sum(each.ms for each in found.operators))


def test_a_file_that_is_no_model_says_which_call_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no model")
    found = operators_here(tmp_path / "model.tflite", 1, 1.0)
    assert "LiteRtCreateModelFromFile" in found.why_not
    assert found.operators == ()


def test_operators_below_the_profilers_clock_are_not_told() -> None:
    told = OperatorTimes.told(SOURCE, 500, [OperatorTime("ADD", 0.002)], 0.005)
    assert "less than the microseconds" in judged(told).why_not
    assert judged(OperatorTimes.told(SOURCE, 500, [OperatorTime("ADD", 0.004)], 0.005)).operators


def test_the_program_is_in_the_closure() -> None:
    assert "components.devices.operator_probe" in closure_of("benchmark")
