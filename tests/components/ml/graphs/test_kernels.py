import numpy as np

from tests.data import small_networks


def test_columns_of_kernels_are_what_one_output_channel_reads():
    from components.ml.graphs.kernels import kernels_of
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    for layer, channels, depthwise in (
        (layers.Conv2D(5, 3), 5, False),
        (layers.Conv2DTranspose(5, 3), 5, False),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), 4, True),
        (layers.Dense(5), 5, False),
    ):
        layer.build((None, 8, 8, 2))
        (kernel,) = kernels_of(layer)
        assert (kernel.channels, kernel.depthwise) == (channels, depthwise)
        kernel.variable.assign(kernel.channel_of().astype(np.float32))
        assert np.array_equal(kernel.by_channel()[0], np.arange(channels))
        assert (kernel.by_channel() == np.arange(channels)).all()
        out = layer(np.ones((1, 8, 8, 2), np.float32)).numpy()[0, 4, 4]
        assert np.allclose(out / np.maximum(out.max(), 1), np.arange(channels) / (channels - 1))


def test_every_kernel_of_a_model_is_found_once():
    from components.ml.graphs.kernels import kernels_of_model

    names = [kernel.name for kernel in kernels_of_model(small_networks.build("shared"))]
    assert len(names) == len(set(names)) == 6
    assert {"separable_conv2d/depthwise_kernel", "separable_conv2d/pointwise_kernel"} <= set(names)
