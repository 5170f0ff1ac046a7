"""Whether a model fits the data is asked before anything is made of it, and told with a way out."""

import numpy as np
import pytest

from components.artifacts.dataset import write_dataset
from components.artifacts.model import ModelInfo
from components.ml.formats import model_folder
from components.ml.runtime import tf, tf_keras
from tests.data.patterns import NAMES, SIDE, images_of

layers = tf_keras.layers


def dense(units, activation=None):
    image = layers.Input((SIDE, SIDE, 1))
    flow = layers.Flatten()(image)
    return tf_keras.Model(image, layers.Dense(units, activation, name="last")(flow))


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory):
    pixels, labels = images_of(80, seed=0)
    rows = labels < 2
    splits = dict.fromkeys(("train", "validation", "selection"), (pixels[rows], labels[rows]))
    path = tmp_path_factory.mktemp("two") / "data"
    return write_dataset(path, splits, task="classification", classes=NAMES[:2]).path


def noise(count=6):
    return np.random.default_rng(0).uniform(-1, 1, (count, SIDE, SIDE, 1)).astype(np.float32)


@pytest.mark.parametrize("form", ["mine.keras", "saved"])
def test_one_sigmoid_unit_is_a_binary_classifier(form, take, refused, two_classes, tmp_path):
    model = dense(1, "sigmoid")
    (model.save if form == "mine.keras" else model.export)(str(tmp_path / form))
    path, report = take(tmp_path / form, two_classes, trusted=form == "saved")
    second = model(noise(), training=False).numpy()
    np.testing.assert_allclose(
        model_folder.inference(path)(noise()), np.hstack([1 - second, second]), atol=1e-6
    )
    info = ModelInfo.read(path)
    assert (info.output.classes, info.output.activation) == (NAMES[:2], "softmax")
    assert report["activation"] == "softmax"
    # Four classes: the fix, the images of two alone, is what this test began with.
    said = refused(tmp_path / form, trusted=form == "saved")
    assert "one number, which tells two classes apart" in said
    assert "give the images of its two classes alone" in said


def test_one_unit_without_a_sigmoid_is_asked_for_one(take, refused, two_classes, tmp_path):
    model = dense(1)
    model.save(tmp_path / "mine.keras")
    said = refused(tmp_path / "mine.keras", two_classes)
    assert "is no probability of the second class, checks" in said
    assert 'keras.layers.Activation("sigmoid")' in said
    fixed = tf_keras.Sequential([model, tf_keras.layers.Activation("sigmoid")])
    fixed.save(tmp_path / "fixed.keras")
    take(tmp_path / "fixed.keras", two_classes)


def test_several_sigmoid_units_are_scores(take, tmp_path):
    dense(len(NAMES), "sigmoid").save(tmp_path / "mine.keras")
    path, report = take(tmp_path / "mine.keras")
    assert ModelInfo.read(path).output.activation == report["activation"] == "sigmoid"


def test_one_number_is_no_embedding(take, refused, pattern_pairs, tmp_path):
    model = dense(1, "sigmoid")
    model.save(tmp_path / "mine.keras")
    said = refused(tmp_path / "mine.keras", pattern_pairs)
    assert "save the model without its last layer" in said
    tf_keras.Model(model.input, model.layers[-2].output).save(tmp_path / "fixed.keras")
    take(tmp_path / "fixed.keras", pattern_pairs)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("form", ["mine.keras", "saved"])
def test_weights_that_are_not_finite_are_named_by_layer(form, value, take, refused, tmp_path):
    model = dense(len(NAMES))
    before = model.get_weights()
    save = model.save if form == "mine.keras" else model.export
    model.layers[-1].bias.assign(tf.fill([len(NAMES)], value))
    save(str(tmp_path / form))
    said = refused(tmp_path / form, trusted=form == "saved")
    assert "infinite or no number" in said
    assert "last" in said
    assert "give an earlier checkpoint" in said
    model.set_weights(before)
    (tmp_path / "earlier").mkdir()
    (model.save if form == "mine.keras" else model.export)(str(tmp_path / "earlier" / form))
    take(tmp_path / "earlier" / form, trusted=form == "saved")


def test_answers_that_are_not_finite_point_at_the_normalization(take, refused, tmp_path):
    model = tf_keras.Sequential([dense(len(NAMES)), layers.Activation("exponential")])
    model.save(tmp_path / "mine.keras")
    said = refused(tmp_path / "mine.keras", mean=0.0, scale=0.01)
    assert "answers 40 of 40 images with numbers that are not finite" in said
    assert "teacher.normalization" in said
    path, _ = take(tmp_path / "mine.keras", mean=127.5, scale=127.5)
    assert ModelInfo.read(path).output.activation == "other"


def test_an_input_of_any_size_is_no_key_called_none(take, refused, tmp_path):
    model = tf_keras.Sequential(
        [layers.Input((None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(len(NAMES))]
    )
    model.save(tmp_path / "mine.keras")
    assert "height: 8, width: 8, channels: 3" in refused(tmp_path / "mine.keras")
