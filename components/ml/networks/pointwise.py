"""Convolutions of 1 x 1 as dense layers on the map, which the converter writes as FULLY_CONNECTED.

They compute the same. But weights of 4 bits run fast in FULLY_CONNECTED alone.
"""

from __future__ import annotations

from typing import Any

from components.ml.runtime import tf_keras


def with_dense(model: Any) -> Any:
    """Return a functional model anew, its convolutions of 1 x 1 as ``Dense`` of the same names.

    Those that skip pixels, or look at some of the channels, stay as they are. Weights are fresh.
    """
    return tf_keras.models.clone_model(model, clone_function=_cloned)


def _cloned(layer: Any) -> Any:
    if not is_pointwise(layer):
        return layer.__class__.from_config(layer.get_config())
    return tf_keras.layers.Dense(
        layer.filters,
        activation=layer.activation,
        use_bias=layer.use_bias,
        kernel_initializer=layer.kernel_initializer.__class__.from_config(
            layer.kernel_initializer.get_config()
        ),
        name=layer.name,
    )


def is_pointwise(layer: Any) -> bool:
    """Whether a layer is a convolution of 1 x 1 that sees every pixel and all of its channels."""
    return (
        type(layer) is tf_keras.layers.Conv2D
        and set(layer.kernel_size) == set(layer.strides) == {1}
        and layer.groups == 1
    )
