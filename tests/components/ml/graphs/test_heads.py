"""What a classifier's numbers are is told by its layers and by what it answers."""

import numpy as np
import pytest

from components.ml.graphs import heads
from components.ml.networks.arithmetic import Arithmetic
from components.ml.runtime import tf_keras

layers = tf_keras.layers


def ending_in(*last, units=3, activation=None):
    return tf_keras.Sequential(
        [layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(units, activation), *last]
    )


def nested():
    image = layers.Input((4, 4, 1))
    return tf_keras.Model(image, ending_in(activation="softmax")(image))


def merged(layer, *activations):
    image = layers.Input((4, 4, 1))
    ends = [ending_in(activation=one)(image) for one in activations]
    return tf_keras.Model(image, layer(ends))


def hard_sigmoid_of_keras_3():
    bounded = [layers.Rescaling(1.0, 3.0), layers.ReLU(6.0), layers.Rescaling(1 / 6)]
    return ending_in(*bounded)


def convolutional():
    """Scores of every place, averaged."""
    return tf_keras.Sequential(
        [layers.Input((4, 4, 1)), layers.Conv2D(3, 3), layers.GlobalAveragePooling2D()]
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: ending_in(activation="softmax"), "softmax"),
        (lambda: ending_in(layers.Softmax()), "softmax"),
        (lambda: ending_in(layers.Activation("softmax")), "softmax"),
        (lambda: ending_in(layers.Reshape((3,)), activation="softmax"), "softmax"),
        (
            lambda: ending_in(
                layers.Dropout(0.5),
                layers.Activation("linear"),
                layers.Flatten(),
                activation="sigmoid",
            ),
            "sigmoid",
        ),
        (lambda: ending_in(layers.Activation("hard_sigmoid")), "sigmoid"),
        (nested, "softmax"),
        (convolutional, "none"),
        (ending_in, "none"),
        (lambda: ending_in(layers.BatchNormalization()), "none"),
        (lambda: ending_in(activation="relu"), "other"),
        (lambda: ending_in(activation="tanh"), "other"),
        (lambda: ending_in(layers.UnitNormalization()), None),
        (lambda: ending_in(layers.Rescaling(100.0), activation="softmax"), "other"),
        (lambda: ending_in(layers.Rescaling(0.5, 0.5), activation="tanh"), "other"),
        (lambda: ending_in(layers.Rescaling(30.0)), "none"),
        (lambda: ending_in(Arithmetic("log_softmax")), "none"),
        (hard_sigmoid_of_keras_3, None),
        (lambda: merged(layers.Average(), "softmax", "softmax"), "softmax"),
        (lambda: merged(layers.Average(), "sigmoid", "sigmoid"), "sigmoid"),
        (lambda: merged(layers.Add(), None, None), "none"),
        (lambda: merged(layers.Add(), "softmax", "softmax"), None),
        (lambda: merged(layers.Concatenate(), "sigmoid", None), None),
    ],
)
def test_layers_say_what_the_numbers_are(model, said):
    assert heads.activation_of(model()) == said


def rows(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("answers", "layers_say", "told"),
    [
        (rows([0.2, 0.8], [0.6, 0.4]), None, "softmax"),
        (rows([0.2, 0.8], [0.6, 0.4]), "none", "softmax"),
        (rows([0.2, 0.8], [0.6, 0.4]), "sigmoid", "sigmoid"),  # saturated, by chance
        (rows([0.2, 0.9], [0.6, 0.4]), "softmax", "sigmoid"),  # along another axis
        (rows([0.2, 0.9], [0.6, 0.4]), None, "sigmoid"),
        (rows([0.2, 0.9], [0.6, 0.4]), "none", "none"),
        (rows([0.2, 0.9], [0.6, 0.4]), "other", "other"),
        (rows([-1.0, 2.0]), "none", "none"),
        (rows([-1.0, 2.0]), None, "other"),
        (rows([1.0], [1.0]), None, "sigmoid"),
    ],
)
def test_answers_have_the_last_word(answers, layers_say, told):
    assert heads.told_by_answers(answers, layers_say) == told


def test_one_sigmoid_becomes_two_probabilities():
    image = layers.Input((4, 4, 1))
    flow = layers.Flatten(name="both_classes")(image)
    model = tf_keras.Model(image, layers.Dense(1, "sigmoid")(flow))
    given = np.random.default_rng(0).normal(size=(6, 4, 4, 1)).astype(np.float32)
    second = model(given).numpy()
    both = heads.with_both_classes(model)(given).numpy()
    np.testing.assert_allclose(both, np.concatenate([1 - second, second], axis=1), atol=1e-7)
