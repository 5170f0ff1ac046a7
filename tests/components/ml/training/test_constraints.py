import numpy as np
import pytest

from components.artifacts.promises import SharedWeights


def dense(values):
    from components.ml.graphs.kernels import kernels_of
    from components.ml.runtime import tf_keras

    layer = tf_keras.layers.Dense(values.shape[1])
    layer.build((None, values.shape[0]))
    (kernel,) = kernels_of(layer)
    kernel.variable.assign(values)
    return kernel


def random_kernel(rows=40, columns=3):
    scale = np.array([0.1, 1, 10], np.float32)[:columns]
    return dense(np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32) * scale)


def gradient(constraint, kernel, weights):
    from components.ml.runtime import tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(constraint(kernel.variable) * weights)
    return tf.convert_to_tensor(tape.gradient(loss, kernel.variable)).numpy()


def test_zeros_stay_and_get_no_gradient():
    from components.ml.training.constraints import Zeros

    kernel = dense(np.array([[0, 1], [2, 0]], np.float32))
    held = Zeros.of(kernel)
    kernel.variable.assign_add(np.ones((2, 2), np.float32))
    assert np.array_equal(held(kernel.variable), [[0, 2], [3, 0]])
    assert np.array_equal(gradient(held, kernel, 1.0), [[0, 1], [1, 0]])


def test_shared_weights_move_together_and_zero_does_not():
    from components.ml.training.constraints import Centroids

    kernel = dense(np.array([[0, 1], [1, 5], [0, 5]], np.float32))
    held = Centroids.of(kernel, "layer")
    kernel.variable.assign_add(np.array([[1, 2], [4, 2], [1, 4]], np.float32))
    assert np.array_equal(held(kernel.variable), [[0, 4], [4, 8], [0, 8]])
    slopes = np.array([[9, 1], [3, 2], [9, 4]], np.float32)
    assert np.allclose(gradient(held, kernel, slopes), [[0, 2], [2, 3], [0, 3]])
    fixed = Centroids.of(kernel, "layer", trained=False)
    start = kernel.variable.numpy()
    kernel.variable.assign_add(np.ones((3, 2), np.float32))
    assert np.array_equal(fixed(kernel.variable), start)


def test_shares_of_the_largest_weight_are_shared_between_channels():
    from components.ml.training.constraints import Centroids

    kernel = dense(np.array([[4, 0.1], [-2, -0.05], [0, 0.1]], np.float32))
    held = Centroids.of(kernel, "channel")
    assert np.allclose(held(kernel.variable), kernel.variable)
    kernel.variable.assign_add(np.array([[4, 0], [0, -0.05], [1, 0]], np.float32))
    after = held(kernel.variable).numpy()
    shares = after / np.abs(after).max(axis=0)
    assert np.allclose(shares[0], 1)
    assert shares[1, 0] == pytest.approx(shares[1, 1])
    assert after[2, 0] == 0


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_levels_are_equal_steps_of_each_channel_and_gradients_go_through(bits):
    from components.ml.training.constraints import Levels

    kernel = random_kernel()
    held = Levels.of(kernel, bits)
    values, rounded = kernel.variable.numpy(), held(kernel.variable).numpy()
    steps = 2 ** (bits - 1) - 1
    step = np.abs(values).max(axis=0) / steps
    levels = rounded / step
    assert np.allclose(levels, np.round(levels), atol=1e-3)
    assert np.abs(levels).max() == pytest.approx(steps)
    assert (np.abs(rounded - values) <= step * 0.5001).all()
    assert np.array_equal(gradient(held, kernel, 2.0), np.full((40, 3), 2))
    kernel.variable.assign(rounded)
    assert np.allclose(held(kernel.variable), rounded, rtol=1e-5)


def test_what_was_promised_is_held_within_the_rounding():
    from components.ml.training.constraints import Levels, project, promised

    kernel = random_kernel()
    values = np.round(kernel.variable.numpy() / 3) * 3  # few values, 0 among them
    kernel.variable.assign(values)
    unique = len(np.unique(values))
    assert promised(kernel, zeros=False, shared=None) == []
    shared = SharedWeights("dense/kernel", values.size, unique, "layer")
    for given, zeros in ((shared, False), (shared, True), (None, True)):
        held = [*promised(kernel, zeros=zeros, shared=given), Levels.of(kernel)]
        random = np.random.default_rng(1).normal(size=values.shape).astype(np.float32)
        after = project(held, kernel.variable + random * (values != 0)).numpy()
        assert (after[values == 0] == 0).all()
        if given:
            assert max(len(np.unique(column)) for column in after.T) <= unique
    grid = SharedWeights("dense/kernel", values.size, 15, "channel", bits=4)
    held = [*promised(kernel, zeros=True, shared=grid), Levels.of(kernel)]
    after = project(held, kernel.variable + np.float32(0.3)).numpy()
    assert max(len(np.unique(column)) for column in after.T) <= 15
    assert (after[values == 0] == 0).all()
