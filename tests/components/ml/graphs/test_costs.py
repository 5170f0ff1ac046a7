"""Costs are what a written file holds, and what is published of known networks."""

from components.ml.graphs.costs import costs_of, layer_costs
from components.ml.runtime import tf_keras
from tests.data import prunable_networks

_KERAS = tf_keras.layers


def test_every_kind_of_layer_by_hand() -> None:
    image = _KERAS.Input((8, 8, 3))
    x = _KERAS.Conv2D(16, 3, strides=2, padding="same", name="conv")(image)
    x = _KERAS.BatchNormalization(name="norm")(x)
    x = _KERAS.Conv2D(8, 3, groups=4, padding="same", use_bias=False, name="grouped")(x)
    x = _KERAS.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="deep")(x)
    x = _KERAS.SeparableConv2D(4, 3, padding="same", name="apart")(x)
    x = _KERAS.Conv2DTranspose(6, 3, strides=2, padding="same", name="up")(x)
    shared = _KERAS.Dense(6, name="shared")
    x = _KERAS.PReLU(shared_axes=(1, 2), name="bent")(shared(shared(x)))
    model = tf_keras.Model(image, _KERAS.Dense(2, name="end")(_KERAS.Flatten()(x)))
    layers = {each.name: each for each in layer_costs(model)}
    assert {name: each.macs for name, each in layers.items() if each.macs} == {
        "conv": 16 * 27 * 16,
        "grouped": 16 * 9 * 4 * 8,
        "deep": 16 * 9 * 16,
        "apart": 16 * (9 * 16 + 16 * 4),
        "up": 16 * 9 * 4 * 6,
        "shared": 2 * 64 * 36,
        "end": 64 * 6 * 2,
    }
    assert {name: each.padded_macs for name, each in layers.items() if each.macs} == {
        "conv": 16 * 27 * 16,
        "grouped": 16 * 9 * 4 * 16,
        "deep": 16 * 9 * 16,
        "apart": 16 * (9 * 16 + 16 * 16),
        "up": 16 * 9 * 4 * 16,
        "shared": 2 * 64 * 6 * 16,
        "end": 64 * 6 * 16,
    }
    assert layers["conv"].int8_bytes == 432 + 28 * 16
    assert layers["deep"].int8_bytes == 144 + 28 * 16
    assert layers["apart"].int8_bytes == 144 + 64 + 28 * (16 + 4)
    assert layers["up"].int8_bytes == 216 + 28 * 6
    assert layers["shared"].parameters == 42
    assert (layers["bent"].int8_bytes, layers["norm"].int8_bytes) == (6, 0)
    assert layers["shared"].activations == 2 * 64 * 6
    total = costs_of(model)
    assert total.parameters == model.count_params()
    assert total.kernels == 8
    assert total.macs == sum(each.macs for each in layers.values())
    assert total.padded_macs == sum(each.padded_macs for each in layers.values())


def test_a_published_network_costs_what_is_published() -> None:
    model = tf_keras.applications.MobileNetV2(weights=None)
    assert 300.0e6 < costs_of(model).macs < 301.0e6  # arXiv:1801.04381, table 4: 300 million
    assert costs_of(model).parameters == model.count_params()


def test_of_networks_with_every_kind_of_layer_no_parameter_is_missed() -> None:
    for name in ("grouped", "separable", "across channels"):
        model = prunable_networks.randomized(prunable_networks.SMALL[name]())
        assert costs_of(model).parameters == model.count_params(), name
