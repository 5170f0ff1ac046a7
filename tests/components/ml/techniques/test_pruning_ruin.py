"""A learning rate that ruins a pruned network: told from what pruning costs, and lowered."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.convert import convert
from components.ml.settings import Augmentation, TrainingSchedule
from components.ml.techniques import pruning_ruin
from components.ml.techniques.channel_settings import StructureSettings
from components.prune import prune

RUINOUS = 0.2
METHODS: dict[str, dict[str, Any]] = {
    "weights": {"sparsity": 0.5},
    "tfmot": {"sparsity": 0.5},
    "channels": {"structure": StructureSettings(remove=0.4, multiple_of=4)},
}


@pytest.fixture(scope="module")
def without_norms(of_raw_pixels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier of raw pixels, its batch norms made part of its kernels."""
    from components.ml.formats import model_folder
    from components.ml.graphs.folding import fold

    model, info = model_folder.load(of_raw_pixels)
    path = tmp_path_factory.mktemp("plain") / "model"
    model_folder.save(path, fold(model, info.image_shape).model, info)
    return path


def pruned(
    method: Any, model: Path, data: Path, folder: Path, *, epochs: int = 4, **schedule: Any
) -> dict[str, Any]:
    """Prune a Model; what the report says of the training."""
    prune(
        model, data, folder / "model", folder / "report", method=method,
        schedule=TrainingSchedule(epochs=epochs, **schedule),
        augmentation=Augmentation(augment="none"), **METHODS[method],
    )  # fmt: skip
    report = json.loads((folder / "report" / "pruning.json").read_bytes())
    return report["rounds"][-1] if "rounds" in report else report


@pytest.mark.parametrize(
    "method", ["weights", pytest.param("tfmot", marks=pytest.mark.slow), "channels"]
)
def test_a_rate_that_ruins_the_network_is_lowered(
    method: str, without_norms: Path, pattern_data: Path, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    training = pruned(method, without_norms, pattern_data, tmp_path, learning_rate=RUINOUS)
    assert training["validation_untrained"] > 0.6  # else nothing could be told
    rates = [one["learning_rate"] for one in training["ruined"]]
    assert rates == pytest.approx([RUINOUS, RUINOUS / 10][: len(rates)])
    assert all(one["validation"] < 0.6 for one in training["ruined"])
    assert training["learning_rate"] == pytest.approx(RUINOUS / 10 ** len(rates))
    assert rates
    assert training["history"]["kept"]["validation"] > 0.9
    assert "begun again with learning_rate 0.02 in place of 0.2" in caplog.text
    curve = ModelInfo.read(tmp_path / "model").history[-1].curve
    assert curve is not None
    assert curve.lowered_to == pytest.approx(training["learning_rate"])


@pytest.mark.parametrize("method", ["weights", "channels"])
def test_without_looking_for_ruin_the_network_stays_ruined(
    method: str, without_norms: Path, pattern_data: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(pruning_ruin, "floor_of", lambda _start, _guessed: None)
    training = pruned(method, without_norms, pattern_data, tmp_path, learning_rate=RUINOUS)
    assert training["ruined"] == []
    assert training["history"]["kept"]["validation"] < 0.6


def test_where_every_rate_ruins_it_zeros_without_training_are_kept_and_are_in_the_file(
    without_norms: Path, pattern_data: Path, tmp_path: Path
) -> None:
    training = pruned("weights", without_norms, pattern_data, tmp_path, learning_rate=1e6, epochs=1)
    assert [one["learning_rate"] for one in training["ruined"]] == pytest.approx([1e6, 1e5])
    kept = training["history"]["kept"]
    assert (kept["number"], kept["validation"]) == (0, training["validation_untrained"])
    convert(tmp_path / "model", tmp_path / "lite", tmp_path / "conversion")
    told = json.loads((tmp_path / "conversion" / "conversion.json").read_bytes())
    assert told["sparsity"] == pytest.approx(0.5, abs=0.05)


def test_what_stays_ruined_is_refused_where_the_last_epoch_is_kept_and_the_fix_helps(
    without_norms: Path, pattern_data: Path, tmp_path: Path
) -> None:
    hopeless = {"learning_rate": 1e6, "epochs": 1, "keep": "last"}
    with pytest.raises(UserError, match="ruined the network: accuracy") as caught:
        pruned("channels", without_norms, pattern_data, tmp_path / "bad", **hopeless)
    assert not (tmp_path / "bad" / "model").exists()
    assert caught.value.fix == "set learning_rate below 10000"
    fixed = {**hopeless, "learning_rate": 1e-3}
    training = pruned("channels", without_norms, pattern_data, tmp_path / "good", **fixed)
    assert training["ruined"] == []


def test_a_training_begun_again_is_the_same_as_one_at_the_lower_rate(
    without_norms: Path, pattern_data: Path, tmp_path: Path
) -> None:
    again = pruned("channels", without_norms, pattern_data, tmp_path / "a", learning_rate=RUINOUS)
    rate = again["learning_rate"]
    pruned("channels", without_norms, pattern_data, tmp_path / "b", learning_rate=rate)
    one, other = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in "ab")
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values, err_msg=name)


def test_batch_norms_save_a_network_of_raw_pixels_from_the_same_rate(
    of_raw_pixels: Path, pattern_data: Path, tmp_path: Path
) -> None:
    training = pruned("channels", of_raw_pixels, pattern_data, tmp_path, learning_rate=RUINOUS)
    assert training["ruined"] == []
    assert training["history"]["kept"]["validation"] > 0.9
