"""The info of a Model: what is written is read, and steps add up."""

import json
from dataclasses import replace

import pytest

from components.artifacts.model import (
    Embedding,
    ImageInput,
    ModelInfo,
    QuantizationPlan,
    Scores,
)
from components.artifacts.promises import Promises, SharedWeights
from components.contract.errors import UserError

VERIFIER = ModelInfo(
    task="verification",
    input=ImageInput(112, 92, 1, 127.5, 127.5),
    output=Embedding(128),
    parameters=1234,
    steps=({"component": "train", "backbone": "conv"},),
)
CLASSIFIER = ModelInfo(
    task="classification",
    input=ImageInput(32, 32, 3, 0.0, 255.0),
    output=Scores(("cat", "dog"), "softmax"),
    parameters=9,
    trainable=False,
    quantization=QuantizationPlan("int8", "uint8", "int8"),
    source="imported from mine.h5",
)


CLUSTERED = replace(
    VERIFIER,
    promises=Promises(5, (SharedWeights("conv/kernel", 72, 15, "channel", bits=4),), ranges=3),
)


@pytest.mark.parametrize("info", [VERIFIER, CLASSIFIER, CLUSTERED])
def test_what_is_written_is_read(info, tmp_path):
    info.write(tmp_path / "model")
    assert ModelInfo.read(tmp_path / "model") == info


def test_the_file_says_what_an_app_needs(tmp_path):
    CLASSIFIER.write(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["schema"] == 1
    assert content["input"] == {
        "height": 32, "width": 32, "channels": 3, "mean": 0.0, "scale": 255.0,
    }  # fmt: skip
    assert content["output"] == {
        "kind": "scores", "classes": ["cat", "dog"], "activation": "softmax",
    }  # fmt: skip
    VERIFIER.write(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["output"] == {"kind": "embedding", "size": 128}


def test_a_step_is_added_and_the_rest_stays():
    after = VERIFIER.after({"component": "prune", "sparsity": 0.5}, parameters=7)
    assert [step["component"] for step in after.steps] == ["train", "prune"]
    assert (after.parameters, after.output, VERIFIER.parameters) == (7, VERIFIER.output, 1234)
    assert (after.image_shape, CLASSIFIER.output.size) == ((112, 92, 1), 2)


def test_a_step_drops_what_was_promised_unless_it_keeps_it():
    assert CLUSTERED.after({"component": "distill"}).promises == Promises()
    kept = CLUSTERED.after({"component": "quantize"}, promises=CLUSTERED.promises)
    assert kept.promises == CLUSTERED.promises


def test_models_of_earlier_versions_promise_nothing(tmp_path):
    VERIFIER.write(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    del content["promises"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    assert ModelInfo.read(tmp_path).promises == Promises()


def test_what_is_no_model_is_said(tmp_path):
    with pytest.raises(UserError, match="no Model"):
        ModelInfo.read(tmp_path)
    (tmp_path / "model.json").write_text('{"schema": 99}')
    with pytest.raises(UserError, match="another version"):
        ModelInfo.read(tmp_path)
