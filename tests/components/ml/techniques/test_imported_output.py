"""What the manifest says of the numbers is true of what the file answers, for every kind."""

import numpy as np
import pytest

from components.artifacts.dataset import Dataset, write_dataset
from components.artifacts.lite_model import LiteModelInfo
from components.convert import convert
from components.devices.interpreter import LiteModel
from components.ml.runtime import tf_keras
from components.release.tensors import output_of
from tests.components.flat import quantize
from tests.data.patterns import NAMES, SIDE, images_of

layers = tf_keras.layers


def ending_in(*last):
    return tf_keras.Sequential([layers.Input((SIDE, SIDE, 1)), layers.Flatten(), *last])


KINDS = {
    "probabilities": [layers.Dense(4, "softmax")],
    "probabilities, reshaped": [
        layers.Dense(4, "softmax"), layers.Reshape((4, 1)), layers.Reshape((4,)),
    ],
    "probabilities of two": [layers.Dense(1, "sigmoid")],
    "probabilities of two, by a layer": [layers.Dense(1), layers.Activation("sigmoid")],
    "scores": [layers.Dense(4, "sigmoid"), layers.Dropout(0.5)],
    "logits": [layers.Dense(4), layers.Activation("linear")],
    "numbers": [layers.Dense(4, "tanh")],
    "embedding": [layers.Dense(5)],
    "embedding of length 1": [layers.Dense(5), layers.UnitNormalization()],
}  # fmt: skip
# Of a program nothing is known but what its answers show.
PROGRAMS = ("probabilities", "probabilities of two", "scores", "logits", "embedding of length 1")
INTEGERS = {"scheme": "int8", "input_type": "uint8", "output_type": "uint8"}


@pytest.fixture(scope="module")
def data(tmp_path_factory, pattern_data, pattern_pairs):
    pixels, labels = images_of(80, seed=0)
    rows = labels < 2
    splits = dict.fromkeys(("train", "validation", "selection"), (pixels[rows], labels[rows]))
    path = tmp_path_factory.mktemp("two") / "data"
    two = write_dataset(path, splits, task="classification", classes=NAMES[:2]).path
    others = {kind: two for kind in KINDS if "of two" in kind}
    pairs = {kind: pattern_pairs for kind in KINDS if kind.startswith("embedding")}
    return dict.fromkeys(KINDS, pattern_data) | others | pairs


@pytest.mark.parametrize(
    ("kind", "plan", "name"),
    [
        *((kind, None, "mine.keras") for kind in KINDS),
        *(
            (kind, INTEGERS, "mine.keras")
            for kind in ("probabilities", "probabilities of two", "scores", "logits", "embedding")
        ),
        *((kind, None, "saved") for kind in PROGRAMS),
    ],
)
def test_the_manifests_word_is_true_of_the_files_answers(kind, plan, name, take, data, tmp_path):
    made, program = ending_in(*KINDS[kind]), name == "saved"
    (made.export if program else made.save)(str(tmp_path / name))
    model, _ = take(tmp_path / name, data[kind], trusted=program)
    if plan:
        quantize(model, data[kind], tmp_path / "plan", tmp_path / "quantization", **plan)
        model = tmp_path / "plan"
    convert(model, tmp_path / "lite", tmp_path / "report")
    answers = LiteModel.open(tmp_path / "lite").run(images_of(40, seed=9)[0])
    said = output_of(LiteModelInfo.read(tmp_path / "lite").output, 0.5)
    if kind.startswith("embedding"):
        assert said["meaning"] == "embedding"
        assert "compare" in said
        lengths = np.linalg.norm(answers, axis=1)  # apps divide by it, which changes no unit
        assert np.allclose(lengths, 1, atol=1e-3) == ("length" in kind)
        return
    assert said["meaning"] == "scores"
    words, known = said["read"], not program
    assert said["labels"] == list(Dataset.open(data[kind]).info.classes)
    within = bool((answers >= 0).all() and (answers <= 1).all())
    # Integers have steps of 1/256, each of which may be half a step off.
    sums = np.allclose(answers.sum(axis=1), 1, atol=1e-3 if plan is None else 4 / 256)
    assert within == kind.startswith(("probabilities", "scores"))
    assert sums == ("The numbers are probabilities" in words) == kind.startswith("probabilities")
    assert ("scores from 0 to 1" in words) == ("multi-label" in words) == (kind == "scores")
    assert ("logits" in words) == (kind == "logits" and known)
    nothing = kind == "numbers" or (kind == "logits" and not known)
    assert ("on no known scale" in words) == nothing
