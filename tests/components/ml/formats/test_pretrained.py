"""Weights that a backbone starts from."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from components.artifacts.model import Embedding, ImageInput, ModelInfo
from components.contract.errors import UserError
from components.ml import imagenet
from components.ml.formats import model_folder, pretrained
from components.ml.networks import backbones
from components.ml.runtime import configure, tf_keras
from pipelines.sources.snapshot import snapshot_weights, stage

SHAPE = (8, 8, 1)


@pytest.fixture
def load(tmp_path):
    def run(model, path, **normalization):
        stage(snapshot_weights(str(path)), tmp_path / "source")
        return pretrained.load(model, tmp_path / "source", **normalization)

    configure(2, 0)
    return run


def network(shape=SHAPE, alpha=0.25, size=4):
    return backbones.with_head("conv", shape, "embedding", size, alpha=alpha)


def backbone(model):
    return [w.numpy() for layer in model.layers[:-1] for w in layer.weights]


def moved(model):
    """Weights that no fresh model has."""
    for weight in model.weights:
        weight.assign(weight + 0.5)
    return model


def written(kind, tmp_path, model):
    if kind == "weights":
        model.save_weights(tmp_path / "given.h5")
    elif kind == "model":
        model.save(tmp_path / "given.h5")
    else:
        info = ModelInfo("verification", ImageInput(*SHAPE), Embedding(4), parameters=0)
        model_folder.save(tmp_path / "model", model, info)
        return tmp_path / "model" / "weights.safetensors"
    return tmp_path / "given.h5"


@pytest.mark.parametrize("kind", ["weights", "model", "safetensors"])
def test_the_backbone_is_taken_and_the_head_is_not(kind, load, tmp_path):
    original, fresh = moved(network(size=4)), network(size=6)
    head = fresh.layers[-1].get_weights()
    path = written(kind, tmp_path, original)
    note = load(fresh, path)
    for weight, other in zip(backbone(original), backbone(fresh), strict=True):
        np.testing.assert_array_equal(weight, other)
    for weight, other in zip(head, fresh.layers[-1].get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    assert path.name in note


def test_a_colour_backbone_answers_to_grey_as_to_equal_colours(load, tmp_path):
    colour, grey = moved(network((8, 8, 3))), network()
    load(grey, written("weights", tmp_path, colour))
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    features = [
        tf_keras.Model(model.inputs, model.get_layer("pool").output) for model in (colour, grey)
    ]
    np.testing.assert_allclose(
        features[0](images.repeat(3, axis=3)), features[1](images), rtol=1e-4, atol=1e-4
    )


def test_weights_that_are_called_otherwise_are_taken_in_the_order_of_layers(load, tmp_path):
    original, fresh = moved(network()), network()
    renamed = tf_keras.models.clone_model(original, clone_function=under_another_name)
    renamed.set_weights(original.get_weights())
    notop = tf_keras.Model(renamed.inputs, renamed.get_layer("other_pool").output)
    assert "weights.h5" in load(
        fresh, written("weights", tmp_path, notop).rename(tmp_path / "weights.h5")
    )
    for weight, other in zip(backbone(original), backbone(fresh), strict=True):
        np.testing.assert_array_equal(weight, other)


def under_another_name(layer):
    return type(layer).from_config({**layer.get_config(), "name": f"other_{layer.name}"})


@pytest.mark.parametrize("channels", [1, 3])
def test_the_published_resnet50_answers_as_on_its_own_normalization(
    channels, load, tmp_path, monkeypatch
):
    """It was trained on blue, green and red, each less its mean."""
    given = tf_keras.applications.ResNet50(include_top=False, weights=None, input_shape=(64, 64, 3))
    first = given.get_layer("conv1_conv")
    random = np.random.default_rng(0)
    first.set_weights([first.get_weights()[0], random.normal(size=64).astype(np.float32)])
    path = tmp_path / "resnet50.h5"
    given.save_weights(path)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(imagenet, "resnet50_md5", lambda: md5)
    network = backbones.with_head("resnet50", (64, 64, channels), "embedding", 4)
    assert "first convolution" in load(network, path, mean=100.0, scale=50.0)
    pixels = random.integers(0, 256, (2, 64, 64, channels)).astype(np.float32)
    colour = np.broadcast_to(pixels, (2, 64, 64, 3)).copy()
    expected = first_answers(given, tf_keras.applications.resnet50.preprocess_input(colour))
    found = first_answers(network, (pixels - 100.0) / 50.0)
    inside = np.s_[:, 2:-2, 2:-2]  # the border is padded with another value
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5 * scale)


def first_answers(model, images):
    return tf_keras.Model(model.inputs, model.get_layer("conv1_conv").output)(images).numpy()


def test_weights_of_another_backbone_are_refused(load, tmp_path):
    other = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(2)])
    with pytest.raises(UserError, match=r"no weights for 6 of 6 layers.*block1_conv"):
        load(network(), written("weights", tmp_path, other))


def test_weights_of_another_width_are_refused(load, tmp_path):
    with pytest.raises(UserError, match=r"block1_conv/kernel.*\(3, 3, 1, 32\)"):
        load(network(), written("weights", tmp_path, network(alpha=1.0)))


@pytest.mark.parametrize(
    ("name", "content"),
    [("given.h5", b"not at all"), ("given.safetensors", b"not at all"), ("given.h5", b"")],
)
def test_a_bad_file_is_one_clear_message(name, content, load, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="given"):
        load(network(), tmp_path / name)


def test_names_that_are_no_layers_are_shown(load, tmp_path):
    save_file({"encoder.conv.weight": np.zeros((2, 2), np.float32)}, tmp_path / "given.safetensors")
    with pytest.raises(UserError, match=r"encoder\.conv\.weight"):
        load(network(), tmp_path / "given.safetensors")
