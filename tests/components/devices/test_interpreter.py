import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE
from components.contract.errors import UserError
from components.devices.interpreter import LiteModel
from tests.data.patterns import images_of

TOLERANCE = {
    "float32": 1e-5, "float16": 2e-3, "dynamic": 0.03,
    "int8": 0.05, "int8-uint8": 0.05, "int8-int8": 0.05,
}  # fmt: skip


@pytest.fixture(scope="module")
def expected(pattern_classifier: Path) -> np.ndarray:
    """What Keras answers to forty images that were not trained on."""
    from components.artifacts.model import ModelInfo
    from components.ml.formats import model_folder

    images, _ = images_of(40, seed=2)
    info = ModelInfo.read(pattern_classifier)
    return model_folder.inference(pattern_classifier)(model_folder.normalize(images, info))


@pytest.mark.parametrize("scheme", TOLERANCE)
def test_every_scheme_answers_what_keras_answers(
    lite_patterns: Mapping[str, Path], expected: np.ndarray, scheme: str
) -> None:
    images, labels = images_of(40, seed=2)
    scores = LiteModel.open(lite_patterns[scheme] / "lite").scores(images)
    assert scores.dtype == np.float32
    assert np.abs(scores - expected).max() <= TOLERANCE[scheme]
    assert (scores.argmax(axis=1) == labels).mean() > 0.95
    if scheme != "float32":  # and the scheme did something
        assert np.abs(scores - expected).max() > 0


@pytest.mark.parametrize(("scheme", "offset"), [("int8-uint8", 0), ("int8-int8", 128)])
def test_an_app_feeds_bytes_and_reads_bytes_by_the_card_alone(
    lite_patterns: Mapping[str, Path], scheme: str, offset: int
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = LiteModel.open(lite_patterns[scheme] / "lite")
    given, answer = model.info.input, model.info.output
    assert given.takes_pixels
    images, _ = images_of(5, seed=3)
    app = Interpreter(model_path=str(lite_patterns[scheme] / "lite" / MODEL_FILE), num_threads=1)
    app.allocate_tensors()
    for image, scores in zip(images, model.scores(images), strict=True):
        fed = (image.astype(int) - offset).astype(given.dtype)
        app.set_tensor(app.get_input_details()[0]["index"], fed[None])
        app.invoke()
        read = app.get_tensor(app.get_output_details()[0]["index"])[0]
        assert read.dtype == answer.dtype
        real = answer.quantization.scale * (read.astype(float) - answer.quantization.zero_point)
        assert np.allclose(real, scores, atol=1e-6)


def test_normalized_images_give_what_pixels_give(lite_patterns: Mapping[str, Path]) -> None:
    images, _ = images_of(8, seed=4)
    for scheme in ("float32", "int8-uint8"):
        model = LiteModel.open(lite_patterns[scheme] / "lite")
        normalised = (images.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
        assert np.allclose(model.run_normalised(normalised), model.run(images), atol=1e-6)


def test_no_images_are_no_answers(lite_patterns: Mapping[str, Path]) -> None:
    model = LiteModel.open(lite_patterns["float32"] / "lite")
    assert model.run(np.empty((0, 8, 8, 1), np.uint8)).shape == (0, 4)


def test_vectors_have_length_one(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    from components.convert import convert
    from tests.components.flat import quantize

    quantize(
        pattern_verifier, pattern_pairs, tmp_path / "model", tmp_path / "plan",
        scheme="int8", input_type="uint8", output_type="int8",
    )  # fmt: skip
    convert(tmp_path / "model", tmp_path / "lite", tmp_path / "report")
    model = LiteModel.open(tmp_path / "lite")
    images, labels = images_of(40, seed=2)
    vectors = model.embed(images)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    same = labels[:, None] == labels[None, :]
    cosines = vectors @ vectors.T
    assert cosines[same].mean() > cosines[~same].mean() + 0.3
    with pytest.raises(AssertionError, match="gives embeddings"):
        model.scores(images)


def test_a_file_that_is_not_the_cards_is_refused(
    lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    lite = shutil.copytree(lite_patterns["float32"] / "lite", tmp_path / "lite")
    (lite / MODEL_FILE).write_bytes((lite / MODEL_FILE).read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match="not the file that"):
        LiteModel.open(lite)
