"""Operations of TensorFlow in Keras 2 models: known ones become layers, others are refused."""

import json

import numpy as np
import pytest

from components.ml.networks import architecture, refusals
from components.ml.runtime import tf, tf_keras

layers = tf_keras.layers
OPERATIONS = {
    "constants": lambda x: (3.0 - x) * 0.5 / 2.0 + 1.0 - (1.0 / (x * x + 1.0)),
    "tensors": lambda x: x * tf.square(x) + x / (tf.abs(x) + 1.0) - x**2,
    "caffe": tf_keras.applications.resnet50.preprocess_input,
    "tf": tf_keras.applications.mobilenet_v2.preprocess_input,
    "unit": lambda x: tf.math.l2_normalize(x, axis=-1),
    "unit of the backend": lambda x: tf_keras.backend.l2_normalize(x, 3),
    "over axes": lambda x: tf.reduce_mean(x, [1, 2]) + tf.reduce_sum(x, [1, 2]),
    "shapes": lambda x: tf.reshape(tf.concat([x, tf.transpose(x, (0, 2, 1, 3))], -1), (-1, 96)),
    "norm": lambda x: x / tf.norm(x, axis=-1, keepdims=True),
    "cast": lambda x: tf.stop_gradient(tf.cast(tf.identity(x), "float32")),
    "activations": lambda x: tf.nn.elu(x) + tf.nn.selu(x) + tf.nn.gelu(x) + tf.nn.leaky_relu(x),
    "more": lambda x: tf.floor(x) + tf.round(x) + tf.sign(x) + tf.math.log1p(tf.abs(x)) + tf.reverse(x, [-1]),
    "axes": lambda x: tf.squeeze(tf.stack([tf.expand_dims(x, 1), tf.expand_dims(x, 1)], 1), 2)[:, 0],
    "spread": lambda x: tf.math.reduce_std(x, axis=[1, 2]) + tf.math.reduce_variance(x, axis=[1, 2]),
    "parts": lambda x: x[:, 0, 1:] + tf.nn.relu6(x)[:, 1, :3] + tf.clip_by_value(x, -1.0, 0.5)[:, 0, 1:],
}  # fmt: skip


def rebuilt(model):
    copy = architecture.build(json.loads(model.to_json()), "mine")
    copy.set_weights(model.get_weights())
    return copy


def kinds(model):
    return {type(layer).__name__ for layer in model.layers}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_known_operation_becomes_layers_that_answer_the_same(name):
    image = tf_keras.Input((4, 4, 3))
    model = tf_keras.Model(image, OPERATIONS[name](image))
    copy = rebuilt(model)
    assert not kinds(copy) & {"TFOpLambda", "SlicingOpLambda"}
    given = np.random.default_rng(0).normal(0, 2, (3, 4, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(copy(given).numpy(), model(given).numpy(), rtol=1e-5, atol=1e-5)
    assert architecture.is_known(rebuilt(copy))
    if name.startswith("unit"):
        assert kinds(copy) == {"InputLayer", "UnitNormalization"}


def as_before_keras_2_6(document, axis):
    """Name the function of a Lambda, as older versions did, in place of its bytecode."""
    for layer in document["config"]["layers"]:
        if layer["class_name"] == "Lambda":
            layer["config"].update(
                function="l2_normalize", function_type="function",
                module="tensorflow.python.ops.nn_impl", arguments={"axis": axis},
            )  # fmt: skip
    return document


@pytest.mark.parametrize("make", ["functional", "sequential"])
def test_a_lambda_that_names_l2_normalize_is_a_unit_normalization(make):
    code = layers.Lambda(tf.math.l2_normalize, arguments={"axis": -1}, name="unit")
    image = tf_keras.Input((4, 4, 3))
    model = tf_keras.Model(image, code(image))
    if make == "sequential":
        model = tf_keras.Sequential([image, code])
    document = json.loads(model.to_json())
    copy = architecture.build(as_before_keras_2_6(document, -1), "mine")
    assert kinds(copy) <= {"InputLayer", "UnitNormalization"}
    given = np.random.default_rng(0).normal(0, 2, (3, 4, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(copy(given).numpy(), model(given).numpy(), atol=1e-6)
    for axis in (0, None):
        with pytest.raises(refusals.Refused, match="carries code"):
            architecture.build(as_before_keras_2_6(document, axis), "mine")


def test_bytecode_is_refused_and_the_fix_makes_a_layer_without_code():
    image = tf_keras.Input((4,))
    flow = layers.Dense(3)(image)
    model = tf_keras.Model(image, layers.Lambda(lambda x: tf.math.l2_normalize(x, axis=1))(flow))
    with pytest.raises(refusals.Refused, match="carries code") as caught:
        rebuilt(model)
    fix = caught.value.fix.partition("length 1: ")[2].partition(".save(")[0]
    fixed = eval(fix, {"tf_keras": tf_keras, "model": model})
    given = np.random.default_rng(0).normal(0, 2, (3, 4)).astype(np.float32)
    np.testing.assert_allclose(rebuilt(fixed)(given).numpy(), model(given).numpy(), atol=1e-6)


def test_efficientnet_of_keras_2_is_known_with_its_scalar_weights():
    model = tf_keras.applications.EfficientNetB0(
        weights=None, input_shape=(32, 32, 3), classes=4, include_top=True
    )
    copy = rebuilt(model)
    given = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(copy(given).numpy(), model(given).numpy(), rtol=1e-4, atol=1e-6)


def test_mobilenet_v3_of_keras_2_is_known():
    model = tf_keras.applications.MobileNetV3Small((32, 32, 3), alpha=0.35, weights=None, classes=4)
    copy = rebuilt(model)
    given = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(copy(given).numpy(), model(given).numpy(), rtol=1e-4, atol=1e-6)
    assert "Arithmetic" not in kinds(copy)


@pytest.mark.parametrize(
    ("called", "function"),
    [
        (lambda x: tf.math.cumsum(x, axis=1), "math.cumsum"),
        (lambda x: x[:1], "__operators__.getitem"),
        (lambda x: tf.reduce_mean(x, axis=0), "math.reduce_mean"),
    ],
)
def test_an_unknown_one_and_one_across_images_is_refused_by_name(called, function):
    image = tf_keras.Input((4, 4, 3))
    model = tf_keras.Model(image, called(image))
    with pytest.raises(refusals.Refused, match=function):
        rebuilt(model)
