"""Pixels exact to the level: the rounding of the zero point, made up for in the first biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.model import Embedding, ImageInput, ModelInfo
from components.contract.errors import UserError
from tests.components.flat import quantize
from tests.data.patterns import images_of


def brightness(path: Path, mean: float = 127.5, bias: float = 0.01) -> Path:
    """A Model whose four numbers are the mean of the pixels."""
    from components.ml.formats import model_folder
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input((8, 8, 1))
    vector = layers.Dense(4, name="embedding")(layers.Flatten(name="flat")(image))
    network = tf_keras.Model(image, vector)
    network.set_weights([np.full((64, 4), 1 / 64, np.float32), np.full(4, bias, np.float32)])
    info = ModelInfo("verification", ImageInput(8, 8, 1, mean, mean), Embedding(4), 0)
    model_folder.save(path, network, info)
    return path


def file_of(model: Path, data: Path, folder: Path, **plan: Any) -> bytes:
    from components.ml.formats import calibration
    from components.ml.lite.writing import to_lite

    quantize(model, data, folder / "model", folder / "q", **plan)
    info = ModelInfo.read(folder / "model")
    return to_lite(folder / "model", info, calibration.read(folder / "model"))


def levels_too_bright(model: Path, content: bytes) -> float:
    """By how many levels of the pixels the file's answers are too large, mean over images."""
    from ai_edge_litert.interpreter import Interpreter

    from components.ml.formats import model_folder

    images, _ = images_of(400, seed=9)
    info = ModelInfo.read(model)
    expected = model_folder.inference(model)(model_folder.normalize(images, info))
    run = Interpreter(model_content=content)
    run.allocate_tensors()
    (source,), (target,) = run.get_input_details(), run.get_output_details()
    found = []
    for image in images:
        # The bytes of the image; those less 128 where the input is int8.
        run.set_tensor(source["index"], (image ^ 0x80 * (source["dtype"] == np.int8)).view(
            source["dtype"])[None])  # fmt: skip
        run.invoke()
        found.append(run.get_tensor(target["index"])[0])
    return float((np.stack(found) - expected).mean()) * info.input.scale


@pytest.mark.parametrize(
    ("scheme", "dtype", "bias"), [("int8", "uint8", 0.0), ("w4a8", "int8", 0.01)]
)
def test_half_a_level_is_lost_without_and_none_with(
    pattern_pairs: Path, tmp_path: Path, scheme: str, dtype: str, bias: float
) -> None:
    model = brightness(tmp_path / "model", bias=bias)
    given = {"scheme": scheme, "input_type": dtype}
    without = file_of(model, pattern_pairs, tmp_path / "without", **given)
    exact = file_of(model, pattern_pairs, tmp_path / "exact", exact_pixels=True, **given)
    assert levels_too_bright(model, without) == pytest.approx(0.5, abs=0.06)
    assert levels_too_bright(model, exact) == pytest.approx(0, abs=0.06)
    assert len(exact) <= len(without) + 200


def test_a_mean_that_is_a_level_has_nothing_to_correct(pattern_pairs: Path, tmp_path: Path) -> None:
    model = brightness(tmp_path / "model", mean=128.0)
    given: dict[str, Any] = {"scheme": "int8", "input_type": "uint8"}
    without = file_of(model, pattern_pairs, tmp_path / "without", **given)
    assert file_of(model, pattern_pairs, tmp_path / "with", exact_pixels=True, **given) == without
    assert levels_too_bright(model, without) == pytest.approx(0, abs=0.06)


def test_a_first_layer_without_a_bias_of_integers_is_refused(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"scheme": "int8", "input_type": "uint8", "exact_pixels": True}
    with pytest.raises(UserError, match="DEQUANTIZE reads the image") as caught:
        file_of(pattern_classifier, pattern_data, tmp_path / "a", float_layers=["first"], **given)
    assert "the first layer out of float_layers" in caught.value.fix
    file_of(pattern_classifier, pattern_data, tmp_path / "b", **given)
