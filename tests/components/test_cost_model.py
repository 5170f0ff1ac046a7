"""Cost model: networks timed as benchmark times them, and what follows from too few."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.cost_model import CostModel
from components.artifacts.cost_samples import CostSample, CostSamples
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.contract.interface import interface_of
from tests.components.flat import flat
from tests.data.tiny_lite import write_lite

cost_model = flat("cost_model")
QUICK = {"processes": 1, "blocks": 2, "block_ms": 1.0, "warm_up_ms": 1.0, "resamples": 20}


def samples_of(folder: Path, sound: int, broken: int = 0) -> Path:
    """Write LiteModels of one matrix each, some of which no runtime loads."""
    random = np.random.default_rng(0)
    samples: list[CostSample] = []
    for place in range(sound + broken):
        numbers, name = 8 * (place + 1), f"{place:03d}-matrix"
        data = {} if place < sound else {"data": b"TFL3 but no more of it"}
        write_lite(folder / name, random.normal(size=(numbers, 64)), (8, 8, 1), **data)
        weights = 64 * numbers
        counts = {
            "macs": weights, "padded_macs": weights, "activations": numbers, "kernels": 1,
            "int8_bytes": 4 * weights, "parameters": weights,
        }  # fmt: skip
        samples.append(CostSample(name, {"backbone": "linear"}, numbers, counts))
    CostSamples((8, 8, 1), "float32", tuple(samples)).write(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("costs")
    samples_of(root / "samples", sound=8, broken=1)
    cost_model(root / "samples", root / "report", root / "metrics", **QUICK)
    return root


def test_every_network_is_timed_and_its_raw_samples_are_kept(made: Path) -> None:
    model = CostModel.read(made / "report")
    for sample in model.samples:
        measured = Measurement.read(made / "report" / sample.name)
        assert measured.summary is not None
        assert sample.latency_ms == measured.summary.p50_ms.value
        assert sample.size_bytes == LiteModelInfo.read(made / "samples" / sample.name).size_bytes
        assert (sample.verdict, sample.evidence) == (measured.verdict, measured.evidence)
    assert (model.device, model.threads, model.scheme) == ("host", 1, "float32")
    assert CostModel.from_json(model.to_json()) == model


def test_what_the_runtime_refuses_is_left_out_with_the_reason(made: Path) -> None:
    model = CostModel.read(made / "report")
    assert len(model.samples) == 8
    assert list(model.left_out) == ["008-matrix"]
    assert model.left_out["008-matrix"].startswith("crashed: ")
    metrics = json.loads((made / "metrics").read_bytes())
    assert (metrics["samples"], metrics["left_out"]) == (8, 1)
    assert metrics["size_median_error"] == model.size.median_error < 0.02
    assert "median error" in model.in_words


def test_samples_of_an_earlier_version_are_to_be_written_again(tmp_path: Path) -> None:
    folder = samples_of(tmp_path / "samples", sound=8)
    read = CostSamples.read(folder)
    old = [replace(one, counts={k: v for k, v in one.counts.items() if k != "padded_macs"})
           for one in read.samples]  # fmt: skip
    replace(read, samples=tuple(old)).write(folder)
    ends = (tmp_path / "report", tmp_path / "metrics")
    with pytest.raises(
        UserError, match="000-matrix of the cost samples has no count of padded_macs"
    ) as caught:
        cost_model(folder, *ends, **QUICK)
    assert caught.value.fix == "run cost_samples again"
    samples_of(tmp_path / "again", sound=8)
    cost_model(tmp_path / "again", *ends, **QUICK)


def test_too_few_networks_make_no_model(tmp_path: Path) -> None:
    samples_of(tmp_path / "samples", sound=7, broken=1)
    ends = (tmp_path / "report", tmp_path / "metrics")
    with pytest.raises(UserError, match="7 of 8 networks could be timed") as caught:
        cost_model(tmp_path / "samples", *ends, **QUICK)
    assert "raise cost_networks" in caught.value.fix
    samples_of(tmp_path / "more", sound=8, broken=1)
    cost_model(tmp_path / "more", *ends, **QUICK)


def test_it_occupies_the_device_that_it_measures() -> None:
    assert interface_of("cost_model").occupies == "device"
