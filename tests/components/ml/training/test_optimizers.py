"""The optimizers beside Keras' own, and the learning rate over a training."""

import numpy as np
import pytest

from components.ml.runtime import tf, tf_keras
from components.ml.training.optimizers import Updates, learning_rate_at

START = np.array([[0.5, -2.0], [1.5, 0.1]], np.float32)


def descended(apply, steps=5):
    variable = tf.Variable(START)
    for step in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(variable - 1.0) * [[1.0, 4.0], [0.5, 2.0]])
        apply(variable, tape.gradient(loss, variable), step)
    return variable.numpy()


def ours(kind, weight_decay=0.0, clip=0.0):
    made = []

    def apply(variable, gradient, step):
        if not made:
            made.append(Updates(kind, [variable], weight_decay, clip))
        made[0].apply([gradient], tf.constant(0.1), tf.constant(step + 1.0))

    return apply


def keras(optimizer):
    return lambda variable, gradient, _: optimizer.apply_gradients([(gradient, variable)])


def test_adamw_is_keras_adamw():
    for decay in (0.0, 0.2):
        expected = descended(
            keras(tf_keras.optimizers.AdamW(0.1, weight_decay=decay, epsilon=1e-6))
        )
        np.testing.assert_allclose(descended(ours("adamw", decay)), expected, rtol=1e-4)


def test_sgd_is_keras_sgd_with_nesterov():
    expected = descended(keras(tf_keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)))
    np.testing.assert_allclose(descended(ours("sgd")), expected, rtol=1e-4)


def test_decay_spares_biases_and_depthwise_kernels():
    kept = [tf.Variable([1.0], name="bias"), tf.Variable([[1.0]], name="depthwise_kernel")]
    kernel = tf.Variable([[1.0]], name="kernel")
    variables = [*kept, kernel]
    updates = Updates("sgd", variables, 0.5, 0.0)
    updates.apply([tf.zeros(v.shape) for v in variables], tf.constant(0.1), tf.constant(1.0))
    assert [float(tf.squeeze(variable)) for variable in kept] == [1.0, 1.0]
    assert float(tf.squeeze(kernel)) == pytest.approx(0.95)


def test_long_gradients_are_shortened_together():
    variables = [tf.Variable([0.0]), tf.Variable([0.0])]
    updates = Updates("sgd", variables, 0.0, 1.0)
    updates.apply([tf.constant([30.0]), tf.constant([40.0])], tf.constant(1.0), tf.constant(1.0))
    assert float(variables[1][0]) / float(variables[0][0]) == pytest.approx(4 / 3)
    assert float(variables[0][0]) == pytest.approx(-0.6 * 1.9)  # Nesterov's first step: 1 + 0.9


def test_the_learning_rate_rises_in_a_line_and_falls_as_half_a_cosine():
    rates = [learning_rate_at(step, 110, 10, 2.0) for step in range(110)]
    assert rates[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert rates[10] == 2.0
    assert rates[60] == pytest.approx(1.0)
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] <= 0.01
    assert learning_rate_at(0, 5, 0, 1.0) == 1.0
