"""The Model artifact: what comes back, and that equal models are equal bytes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from components.artifacts.model import Embedding, ImageInput, ModelInfo, Scores
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.ml.formats import model_folder
from components.ml.networks import backbones
from components.ml.runtime import configure, tf, tf_keras

SHAPE = (8, 8, 1)
INFO = ModelInfo("verification", ImageInput(*SHAPE), Embedding(4), parameters=0)


def small(path, *, earlier=0, info=INFO, head="embedding"):
    """Write a model in a process that has built others before."""
    for _ in range(earlier):
        tf.function(lambda x: x * 2.0)(tf.constant(1.0))
        backbones.with_head("conv", SHAPE, "embedding", 4)
    configure(2, 0)
    model = backbones.with_head("conv", SHAPE, head, 4, alpha=0.25)
    model_folder.save(path, model, info)
    return model


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    return path, small(path)


def images(count=5):
    return np.random.default_rng(0).uniform(-1, 1, (count, *SHAPE)).astype(np.float32)


def test_what_was_saved_comes_back(kept):
    path, model = kept
    again, info = model_folder.load(path)
    for weight, other in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(weight, other)
    assert info.parameters == model.count_params()
    assert info == ModelInfo.read(path)
    assert np.array_equal(again(images()), model(images()))


def test_the_program_answers_what_the_model_does_for_any_count(kept):
    path, model = kept
    run = model_folder.inference(path)
    np.testing.assert_allclose(run(images()), model(images(), training=False), atol=1e-6)
    assert run(images()[:0]).shape == (0, 4)


def test_the_program_has_one_signature_for_one_image(kept):
    program = tf.saved_model.load(str(kept[0] / "saved_model"))
    (name, signature), *others = program.signatures.items()
    assert (name, others) == ("serving_default", [])
    assert signature.structured_input_signature[1]["image"].shape == (1, *SHAPE)
    assert signature.structured_outputs["embedding"].shape == (1, 4)


def test_equal_models_are_equal_bytes_whatever_the_process_did_before(kept, tmp_path):
    small(tmp_path / "again", earlier=3)
    assert tree_of(tmp_path / "again") == tree_of(kept[0])
    names = [entry.path for entry in tree_of(kept[0]).entries]
    assert not [name for name in names if "fingerprint" in name or name.endswith(".keras")]


def test_a_fresh_process_writes_the_same_bytes(kept, tmp_path):
    code = (
        "import sys, pathlib; sys.path.insert(0, '.');"
        "from tests.components.ml.formats.test_model_folder import small; small(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "fresh")], check=True)
    assert tree_of(tmp_path / "fresh") == tree_of(kept[0])


def test_other_weights_are_other_bytes(kept, tmp_path):
    model, info = model_folder.load(kept[0])
    model.layers[1].set_weights([weight + 1e-6 for weight in model.layers[1].get_weights()])
    model_folder.save(tmp_path / "other", model, info)
    assert tree_of(tmp_path / "other").digest != tree_of(kept[0]).digest


def test_scores_are_called_scores(tmp_path):
    info = ModelInfo(
        "classification", ImageInput(*SHAPE), Scores(("a", "b", "c", "d")), parameters=0
    )
    small(tmp_path / "model", info=info, head="scores")
    program = tf.saved_model.load(str(tmp_path / "model" / "saved_model"))
    assert list(program.signatures["serving_default"].structured_outputs) == ["scores"]


def test_weights_are_normalized_as_the_card_says():
    info = ModelInfo("verification", ImageInput(1, 1, 1, 10.0, 5.0), Embedding(1), parameters=0)
    pixels = np.array([0, 10, 255], np.uint8).reshape(3, 1, 1, 1)
    normalized = model_folder.normalize(pixels, info)
    assert normalized.dtype == np.float32
    assert normalized.ravel().tolist() == [-2.0, 0.0, 49.0]


def test_a_copied_layer_keeps_its_own_weights(tmp_path):
    """Two layers may give their weights one name; both come back."""
    configure(2, 0)
    image = tf_keras.Input(SHAPE)
    flow = tf_keras.layers.Flatten()(image)
    inner = [tf_keras.Sequential([tf_keras.layers.Dense(2, name="same")]) for _ in range(2)]
    model = tf_keras.Model(image, tf_keras.layers.Concatenate()([part(flow) for part in inner]))
    model_folder.save(tmp_path / "model", model, INFO)
    again, _ = model_folder.load(tmp_path / "model")
    assert np.array_equal(again(images()), model(images()))


def test_a_model_without_an_architecture_says_what_it_cannot_do(kept, tmp_path):
    model, info = model_folder.load(kept[0])
    program = tmp_path / "program"
    model_folder.export(program, lambda image: model(image, training=False), model.weights, info)
    info.after({"component": "quantize"}, trainable=False).write(program)
    with pytest.raises(UserError, match=r"cannot be pruned.*quantize"):
        model_folder.load(program, "pruned")
    np.testing.assert_allclose(
        model_folder.inference(program)(images()), model(images(), training=False), atol=1e-6
    )


def damaged(kept, tmp_path, change):
    for name in ("architecture.json", "weights.safetensors", "model.json"):
        (tmp_path / name).write_bytes((kept[0] / name).read_bytes())
    change(tmp_path)
    with pytest.raises(UserError) as caught:
        model_folder.load(tmp_path)
    return str(caught.value)


def test_damage_is_one_clear_message(kept, tmp_path):
    def cut(path):
        file = path / "weights.safetensors"
        file.write_bytes(file.read_bytes()[:100])

    assert "safetensors" in damaged(kept, tmp_path, cut)

    def widen(path):
        file = path / "architecture.json"
        architecture = json.loads(file.read_text())
        architecture["config"]["layers"][-1]["config"]["units"] = 5
        file.write_text(json.dumps(architecture))

    assert "embedding/kernel" in damaged(kept, tmp_path, widen)

    def smuggle(path):
        file = path / "architecture.json"
        file.write_text(file.read_text().replace('"ReLU"', '"Lambda"'))

    assert "Lambda" in damaged(kept, tmp_path, smuggle)
