"""Benchmark results: what a file of measurements says of a model, and what it cannot say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.provisional import is_provisional
from components.measure.given import MEDIANS_LEAST
from pipelines.sources.snapshot import snapshot_results, stage
from tests.components.flat import flat
from tests.data.tiny_lite import write_lite

Given = Callable[..., Measurement]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lite(tmp_path_factory.mktemp("given") / "lite", np.eye(16), (4, 4, 1))


@pytest.fixture(scope="module")
def sha256(model: Path) -> str:
    return LiteModelInfo.read(model).sha256


@pytest.fixture
def given(model: Path, tmp_path: Path) -> Given:
    """Run the component on a file of measurements: a list for JSON, text for CSV."""

    def run(content: object, name: str | None = None) -> Measurement:
        text = isinstance(content, str)
        place = tmp_path / (name or ("phone.csv" if text else "phone.json"))
        place.write_text(content if text else json.dumps({"measurements": content}))
        folder = tmp_path / f"source-{len(list(tmp_path.iterdir()))}"
        stage(snapshot_results(str(place)), folder)
        flat("benchmark_results")(
            model, folder, tmp_path / "report", tmp_path / "metrics", device="iphone", resamples=200
        )
        return Measurement.read(tmp_path / "report")

    return run


def samples(seed: int, middle: float = 3.0, count: int = 100) -> list[float]:
    return (middle + 0.2 * np.random.default_rng(seed).random(count)).round(4).tolist()


def test_samples_get_a_median_with_an_interval_over_processes(
    given: Given, sha256: str, tmp_path: Path
) -> None:
    told = {"device": "iPhone 15", "os": "iOS 19", "made_by": "benchmark app 2.3"}
    found = given(
        [
            {"model_sha256": sha256.upper(), "samples_ms": samples(1), "load_ms": 40, **told},
            {"model_sha256": sha256, "samples_ms": samples(2), "load_ms": 50, **told},
            {"model_sha256": "0" * 64, "samples_ms": samples(3, 99.0), **told},
        ]
    )
    assert (found.verdict, found.given) == ("stable", "benchmark app 2.3")
    assert "given by benchmark app 2.3; 2 processes, 200 samples" in found.evidence
    assert (found.device.name, found.device.kind) == ("iphone", "results")
    assert found.device.fingerprint == {"device": "iPhone 15", "os": "iOS 19"}
    summary = found.summary
    assert summary is not None
    assert summary.p50_ms.low <= summary.p50_ms.value <= summary.p50_ms.high
    assert 3.0 < summary.p50_ms.low < summary.p50_ms.high < 3.2
    assert summary.p90_ms is not None
    assert summary.p99_ms is None
    assert (summary.samples, summary.load_ms, summary.first_ms) == (200, 45, None)
    metrics = json.loads((tmp_path / "metrics").read_bytes())
    assert metrics["p50_ms"] == summary.p50_ms.value
    assert "first_ms" not in metrics


def test_processes_that_lie_apart_widen_the_interval(given: Given, sha256: str) -> None:
    def width(*middles: float) -> float:
        rows = [
            {"model_sha256": sha256, "samples_ms": samples(n, middle)}
            for n, middle in enumerate(middles)
        ]
        summary = given(rows).summary
        assert summary is not None
        return summary.p50_ms.high - summary.p50_ms.low

    assert width(3.0, 4.0, 5.0) > 5 * width(3.0, 3.0, 3.0)


def test_a_csv_says_the_same(given: Given, sha256: str) -> None:
    values = samples(1)
    as_json = given([{"model_sha256": sha256, "samples_ms": values, "device": "Pixel"}])
    line = f"{sha256};Pixel;{' '.join(map(str, values))};"
    as_csv = given(f"model_sha256;device;samples_ms;load_ms\n{line}\n")
    assert as_csv.summary == as_json.summary
    assert as_csv.device == as_json.device


def test_medians_of_eleven_processes_have_the_interval_of_the_second_to_the_tenth(
    given: Given, sha256: str
) -> None:
    medians = [3.0 + n / 10 for n in range(11)]
    found = given([{"model_sha256": sha256, "p50_ms": each} for each in reversed(medians)])
    assert found.summary is not None
    p50 = found.summary.p50_ms
    assert (p50.value, p50.low, p50.high) == (medians[5], medians[1], medians[9])


def test_an_interval_that_is_given_is_taken(given: Given, sha256: str) -> None:
    row = {"model_sha256": sha256, "p50_ms": 3.0, "p50_low_ms": 2.9, "p50_high_ms": 3.3}
    found = given([{**row, "memory_bytes": 1000}])
    assert found.summary is not None
    p50 = found.summary.p50_ms
    assert (p50.value, p50.low, p50.high) == (3.0, 2.9, 3.3)
    assert found.summary.peak_memory_bytes == 1000


def test_a_model_that_is_not_in_the_file_is_not_measured(
    given: Given, sha256: str, tmp_path: Path
) -> None:
    found = given([{"model_sha256": "0" * 64, "samples_ms": samples(1)}])
    assert (found.verdict, found.summary, found.crashed) == ("absent", None, None)
    assert found.evidence == f"phone.json measures no model of the sha256 {sha256}"
    metrics = json.loads((tmp_path / "metrics").read_bytes())
    assert metrics["absent"] == 1
    assert not is_provisional(metrics), "another file is another key"


def row(**keys: object) -> dict[str, Any]:
    return {"p50_ms": 3.0, "p50_low_ms": 2.9, "p50_high_ms": 3.3, **keys}


@pytest.mark.parametrize(
    ("entry", "what", "put_right"),
    [
        ({"p50_ms": 3.0}, "1 times p50_ms, and no interval", {"samples_ms": samples(1)}),
        (row(p50=3.0), "there is no key 'p50'", row()),
        (row(p50_ms=-1), "p50_ms: Input should be greater than 0", row()),
        (row(p50_high_ms=None), "no interval around its p50_ms", row()),
        (row(p50_low_ms=3.1), "no interval around its p50_ms", row()),
        (row(samples_ms=samples(1)), "both samples_ms and p50_ms", {"samples_ms": samples(1)}),
        ({"device": "x"}, "neither samples_ms nor p50_ms", row()),
        ({"samples_ms": samples(1, count=9)}, "9 samples in all", {"samples_ms": samples(1)}),
    ],
)
def test_what_is_wrong_in_an_entry_is_said_with_a_fix(
    given: Given, sha256: str, entry: dict[str, Any], what: str, put_right: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=what) as caught:
        given([{"model_sha256": sha256, **entry}])
    assert caught.value.fix
    for key in ("samples_ms", "p50_low_ms"):
        if key in put_right and key not in entry:
            assert key in caught.value.fix
    assert given([{"model_sha256": sha256, **put_right}]).verdict == "stable"


def test_six_medians_are_enough(given: Given, sha256: str) -> None:
    rows = [{"model_sha256": sha256, "p50_ms": 3.0 + n} for n in range(MEDIANS_LEAST)]
    with pytest.raises(UserError, match="no interval follows from fewer than 6"):
        given(rows[1:])
    found = given(rows)
    assert found.summary is not None
    assert (found.summary.p50_ms.low, found.summary.p50_ms.high) == (3.0, 8.0)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("device,p50_ms\nx,3\n", "no column model_sha256"),
        ("model_sha256,p50_ms\nab,3,4\n", "3 cells under 2 titles"),
        ("model_sha256,p50_ms\nab,3\n", "model_sha256: String should match"),
        ([{"p50_ms": 3}], "model_sha256: it is missing"),
        (["x"], "measurement 1 is no mapping"),
        ([], "holds no measurements"),
    ],
)
def test_a_file_of_another_form_is_refused(given: Given, content: object, what: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        given(content)
    assert caught.value.fix


def test_json_that_is_none_is_refused(given: Given) -> None:
    with pytest.raises(UserError, match=r"phone.json is damaged"):
        given("{", "phone.json")
    with pytest.raises(UserError, match=r"phone.json holds no list"):
        given('{"measurement": 3}', "phone.json")


def test_two_devices_in_one_file_are_told_apart(given: Given, sha256: str) -> None:
    rows = [row(model_sha256=sha256, device=name) for name in ("iPhone 14", "iPhone 15")]
    with pytest.raises(UserError, match="measured in 2 places: iPhone 14 and iPhone 15") as caught:
        given(rows)
    assert "a file of its own" in caught.value.fix
    assert given(rows[:1]).device.fingerprint == {"device": "iPhone 14"}


def test_other_files_are_no_results(tmp_path: Path) -> None:
    (tmp_path / "phone.json").write_text("[]")
    with pytest.raises(UserError, match="holds no measurements") as caught:
        snapshot_results(str(tmp_path))
    assert caught.value.fix == f"give the file: file: {tmp_path}/phone.json"
    assert snapshot_results(str(tmp_path / "phone.json")).format == "results"
    (tmp_path / "phone.txt").write_text("")
    with pytest.raises(UserError, match=r"expected a .json or .csv file"):
        snapshot_results(str(tmp_path / "phone.txt"))


def test_it_occupies_no_device() -> None:
    assert interface_of("benchmark_results").occupies is None


def test_a_board_tells_arena_and_flash_besides_and_the_slowest_load(
    given: Given, sha256: str
) -> None:
    rows = [
        {"model_sha256": sha256, "p50_ms": 5.0 + step, "load_ms": 40.0 + step,
         "arena_bytes": 4000 + step, "flash_bytes": 6400}
        for step in range(6)
    ]  # fmt: skip
    found = given(rows)
    assert (found.arena_bytes, found.flash_bytes) == (4005, 6400)
    assert found.summary is not None
    assert (found.summary.load_ms, found.summary.load_high_ms) == (42.5, 45.0)
