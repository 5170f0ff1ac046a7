"""Classes that are not on the list: whether Keras has them decides on the fix, which works."""

import json

import numpy as np
import pytest
import tensorflow_model_optimization as tfmot

from components.ml.formats import keras_files
from components.ml.networks import architecture, refusals
from components.ml.runtime import tf, tf_keras

layers = tf_keras.layers
IMAGES = np.random.default_rng(0).normal(0, 1, (3, 8, 8, 3)).astype(np.float32)


def plain(*more, **convolution):
    return tf_keras.Sequential(
        [
            layers.Input((8, 8, 3)), *more, layers.Conv2D(4, 3, **convolution), layers.Flatten(),
            layers.Dense(4),
        ]
    )  # fmt: skip


def saved(model, tmp_path, ending="keras"):
    path = tmp_path / f"mine.{ending}"
    model.save(path)
    return path


def read(path, *, trusted=False, **given):
    return keras_files.read(path, path.name, path.suffix, trusted=trusted, **given)


def refused(path, **given):
    with pytest.raises(refusals.Refused) as caught:
        read(path, **given)
    return caught.value


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_an_unknown_operation_of_tensorflow_is_taken_with_trust(ending, tmp_path):
    image = tf_keras.Input((8, 8, 3))
    model = tf_keras.Model(image, layers.Dense(4)(layers.Flatten()(tf.math.cumsum(image, axis=1))))
    path = saved(model, tmp_path, ending)
    said = refused(path)
    assert "it calls math.cumsum" in said.what
    assert "set trusted: true" in said.fix
    np.testing.assert_allclose(read(path, trusted=True)(IMAGES), model(IMAGES), atol=1e-6)


def squared(values):
    return values * values


def test_an_activation_of_ones_own_asks_for_its_code(tmp_path):
    with tf_keras.utils.custom_object_scope({"squared": squared}):
        model = plain(activation=squared)
        path = saved(model, tmp_path)
    for trusted in (False, True):
        said = refused(path, trusted=trusted)
        assert "'squared', a function of somebody's own" in said.what
        assert "modules: [./layers.py]" in said.fix
    taken = read(path, trusted=True, known={"squared": squared})
    np.testing.assert_allclose(taken(IMAGES), model(IMAGES), atol=1e-6)


def test_an_activation_that_is_a_lambda_is_put_into_words(tmp_path, monkeypatch):
    model = plain(activation=lambda values: values * 2)
    path = saved(model, tmp_path)
    for trusted in (False, True):
        assert "carries the code of its activation" in refused(path, trusted=trusted).what
    fix = refused(path).fix
    monkeypatch.chdir(tmp_path)
    exec(fix.partition("such as ")[2].partition(", and")[0],
         {"keras": tf_keras, "layer": model.layers[0]})  # fmt: skip
    assert read(saved(model, tmp_path)).layers[0].activation is tf_keras.activations.relu


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("kind", ["pruning", "clustering"])
def test_wrappers_of_tfmot_are_taken_off_by_the_fix(kind, ending, tmp_path, monkeypatch):
    keras = tfmot.sparsity.keras if kind == "pruning" else tfmot.clustering.keras
    model = (
        keras.prune_low_magnitude(plain())
        if kind == "pruning"
        else keras.cluster_weights(plain(), 4, keras.CentroidInitialization.LINEAR)
    )
    said = refused(saved(model, tmp_path, ending))
    assert "is a wrapper by which tensorflow_model_optimization makes" in said.what
    monkeypatch.chdir(tmp_path)
    eval(said.fix.partition(": ")[2], {"tfmot": tfmot, "model": model})
    read(tmp_path / "model.keras")


def test_what_tfmot_quantized_is_asked_for_as_it_was_before(tmp_path):
    float_model = plain()
    said = refused(saved(tfmot.quantization.keras.quantize_model(float_model), tmp_path, "h5"))
    assert "trains through rounding" in said.what
    assert "as it was before quantize_model" in said.fix
    read(saved(float_model, tmp_path))


AUGMENTING = {
    "RandomFlip": (), "RandomRotation": (0.2,), "RandomZoom": (0.2,), "RandomContrast": (0.2,),
    "RandomBrightness": (0.2,), "RandomTranslation": (0.1, 0.1), "AlphaDropout": (0.1,),
    "ActivityRegularization": (0.1,),
}  # fmt: skip


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_augmentation_of_keras_2_is_left_out(ending, tmp_path):
    augmentation = [getattr(layers, name)(*given) for name, given in AUGMENTING.items()]
    model = plain(tf_keras.Sequential(augmentation), layers.RandomFlip())
    expected = model(IMAGES, training=False)
    taken = read(saved(model, tmp_path, ending))
    np.testing.assert_allclose(taken(IMAGES), expected, atol=1e-6)
    inner = [layer for part in taken.layers for layer in getattr(part, "layers", [part])]
    assert not {type(layer).__name__ for layer in inner} & AUGMENTING.keys()


def test_how_weights_began_is_of_no_account():
    model = plain(
        kernel_initializer=lambda shape, dtype=None: tf.ones(shape), kernel_constraint="radial_constraint",
        kernel_regularizer=tf_keras.regularizers.OrthogonalRegularizer(),
    )  # fmt: skip
    copy = architecture.build(json.loads(model.to_json()), "mine")
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(copy(IMAGES), model(IMAGES), atol=1e-6)
