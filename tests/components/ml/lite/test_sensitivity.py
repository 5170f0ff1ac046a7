"""The error of each layer, and layers left in float until validation loses little enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.dataset import Dataset
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from tests.components.flat import quantize

FAR_APART = 3000.0
"""One channel is so many times larger than the others: 8 bits cannot hold both."""


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory, pattern_classifier: Path) -> Path:
    """The same function as ``pattern_classifier``, with one channel far above the others."""
    from components.ml.formats import model_folder

    network, info = model_folder.load(pattern_classifier)
    norm, following = network.get_layer("second_norm"), network.get_layer("depthwise")
    gamma, beta, *statistics = norm.get_weights()
    kernel, bias = following.get_weights()
    brightest = np.arange(len(gamma)) == np.argmax(beta + 2 * gamma)
    large = np.where(brightest, FAR_APART, 1.0).astype(np.float32)
    norm.set_weights([gamma * large, beta * large, *statistics])
    following.set_weights([kernel / large[:, None], bias])
    path = tmp_path_factory.mktemp("uneven") / "model"
    model_folder.save(path, network, info)
    return path


def accuracy(model: Path, data: Path) -> float:
    from components.devices.interpreter import LiteModel

    dataset = Dataset.open(data)
    answers = LiteModel.open(model).run(np.asarray(dataset.images("validation")))
    return float((answers.argmax(axis=1) == dataset.labels("validation")).mean())


def test_auto_excepts_the_layers_that_lose_and_keeps_to_the_drop(
    uneven: Path, pattern_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.convert import convert
    from components.ml.lite import writing

    quantize(
        uneven, pattern_data, tmp_path / "model", tmp_path / "report",
        scheme="int8", float_layers="auto", max_drop=0.01,
    )  # fmt: skip
    report = json.loads((tmp_path / "report" / "sensitivity.json").read_bytes())
    carried = ModelInfo.read(tmp_path / "model").history[-1].layers
    assert [(one.layer, one.error) for one in carried] == [
        (row["layer"], row["rmse"]) for row in report["layers"]
    ]
    excepted = {row["layer"] for row in report["excepted"]}
    assert {one.layer for one in carried if one.in_float} == excepted
    assert (report["metric"], report["images"]) == ("accuracy", 40)
    assert report["quantized"]["drop"] > 0.1, "nothing is lost: the test shows nothing"
    errors = {row["layer"]: row["rmse"] for row in report["layers"]}
    assert list(errors) == ["first", "second", "depthwise", "pool", "embedding", "scores"]
    assert min(errors["second"], errors["depthwise"]) > 5 * errors["first"]
    steps = report["excepted"]
    assert {step["layer"] for step in steps} == {"second", "depthwise"}
    assert steps[-1]["drop"] <= 0.01 < steps[-2]["drop"]
    assert steps[-1]["size_bytes"] > report["quantized"]["size_bytes"]
    plan = ModelInfo.read(tmp_path / "model").quantization
    assert plan
    assert plan.float_layers == tuple(step["layer"] for step in steps)
    written = json.loads((tmp_path / "report" / "quantization.json").read_bytes())
    assert written["float_layers"] == list(plan.float_layers)

    convert(tmp_path / "model", tmp_path / "lite", tmp_path / "conversion", repack=False)
    assert (tmp_path / "lite" / MODEL_FILE).stat().st_size == steps[-1]["size_bytes"]
    lost = report["float"]["value"] - accuracy(tmp_path / "lite", pattern_data)
    assert lost <= 0.01
    # The same file without its exceptions loses more, and is refused besides.
    real = writing.in_integers
    monkeypatch.setattr(writing, "in_integers", lambda one, plan, _: real(one, plan, frozenset()))
    with pytest.raises(AssertionError, match="planned in float"):
        convert(tmp_path / "model", tmp_path / "broken", tmp_path / "conversion")
    monkeypatch.setattr(writing, "refuse_other_precision", lambda *_: None)
    convert(tmp_path / "model", tmp_path / "broken", tmp_path / "conversion")
    assert report["float"]["value"] - accuracy(tmp_path / "broken", pattern_data) > 0.1


def test_what_no_choice_of_layers_keeps_to_is_refused_and_the_fix_helps(
    uneven: Path, pattern_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.ml.lite import sensitivity

    given: dict[str, Any] = {"scheme": "int8", "output_type": "int8", "float_layers": "auto"}
    # As if every file lost what the one without exceptions loses.
    real = sensitivity.Trial.file
    with monkeypatch.context() as patched:
        patched.setattr(sensitivity.Trial, "file", lambda trial, kept: real(trial, ()))
        with pytest.raises(UserError, match="of 6 layers in float validation still loses") as fault:
            quantize(uneven, pattern_data, tmp_path / "one", tmp_path / "r", max_drop=0.01, **given)
    assert not (tmp_path / "one").exists()
    drop = float(fault.value.fix.partition("max_drop: ")[2].partition(",")[0])
    quantize(uneven, pattern_data, tmp_path / "two", tmp_path / "r", max_drop=drop, **given)
    assert ModelInfo.read(tmp_path / "two").quantization.float_layers == ()


def test_verification_is_measured_on_whole_identities(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    quantize(
        pattern_verifier, pattern_pairs, tmp_path / "model", tmp_path / "report",
        scheme="w4a8", sensitivity=True, validation_images=12,
    )  # fmt: skip
    report = json.loads((tmp_path / "report" / "sensitivity.json").read_bytes())
    assert (report["metric"], report["images"]) == ("auc", 20)
    rows = {row["layer"]: row for row in report["layers"]}
    assert report["quantized"]["rmse"] > max(0.5 * row["rmse"] for row in rows.values())
    assert all(0.5 < row["cosine_min"] <= row["cosine_mean"] <= 1 for row in rows.values())
    # Four bits hurt where there are weights, and eight bits of the pooled numbers do not.
    assert rows["second"]["rmse"] > 3 * rows["pool"]["rmse"]
    assert report["excepted"] == []
