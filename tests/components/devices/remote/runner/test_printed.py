"""Printed: numbers out of reconstructions of what programs print."""

import pytest

from components.devices.remote.runner.printed import MICROSECOND_MS, ROUNDED_MS, printed_in
from tests.data.benchmark_programs import litert_output, tflite_output


@pytest.mark.parametrize("mark", ["INFO: ", ""])
def test_tensorflow_lite(mark):
    found = printed_in(tflite_output(4200, mark=mark))
    assert found is not None
    assert found.resolution_ms == MICROSECOND_MS
    assert found.values == pytest.approx({
        "runs": 52, "warmups": 9, "load_ms": 34.567, "first_ms": 4.74, "mean_ms": 4.20225,
        "median_ms": 4.2, "p5_ms": 4.199, "p95_ms": 4.23, "min_ms": 4.199, "max_ms": 4.29,
        "std_ms": 0.007, "footprint_mb": 12.75,
    })  # fmt: skip


def test_an_older_one_tells_no_median():
    found = printed_in(tflite_output(4200, percentiles=False))
    assert found is not None
    assert found.values["mean_ms"] == pytest.approx(4.20225)
    assert not {"median_ms", "p5_ms", "p95_ms"} & found.values.keys()


def test_litert_prints_the_same_statistics():
    found = printed_in(litert_output(4200))
    assert found is not None
    assert found.resolution_ms == MICROSECOND_MS
    assert found.values["median_ms"] == 4.2
    assert found.values["load_ms"] == 34.57
    assert found.values["footprint_mb"] == 12.75
    assert found.values["runs"] == 52


def test_litert_without_them_tells_hundredths_and_no_median():
    found = printed_in(litert_output(4200, statistics_too=False))
    assert found is not None
    assert found.resolution_ms == ROUNDED_MS
    assert found.values["mean_ms"] == 4.2
    assert "median_ms" not in found.values


def test_inferences_that_all_took_the_same():
    text = tflite_output(5).replace(
        "count=52 first=45 curr=5 min=4 max=95 avg=7.25 std=7 p5=4 median=5 p95=35",
        "count=52 curr=5(all same) p5=5 median=5 p95=5",
    )
    found = printed_in(text)
    assert found is not None
    told = {found.values[f"{name}_ms"] for name in ("mean", "median", "min", "max", "p95")}
    assert told == {0.005}
    assert found.values["std_ms"] == 0


@pytest.mark.parametrize(
    "text", ["", "INFO: STARTING!\n", tflite_output(4200).partition("count=52")[0]]
)
def test_what_broke_off_holds_no_result(text):
    assert printed_in(text) is None
