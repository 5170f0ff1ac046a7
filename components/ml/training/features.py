"""Features: what layers inside a network answer, beside the network itself.

Shapes: b images in a batch, h rows, w columns, c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from components.ml.runtime import tf_keras
from components.ml.training.objectives import FEATURES, OUTPUT

Resolution: TypeAlias = tuple[int, int]
"""Rows and columns of a feature map."""


def with_features(model: Any, layers: Sequence[str]) -> Callable[..., Mapping[str, Any]]:
    """Return a network, as a function of images, that also tells what some of its layers answer.

    Its layers are those of ``model``: what trains the one trains the other.

    Args:
        model: A ``tf_keras`` model.
        layers: Their names, see ``maps_of``; without any, the model runs as it is.

    Returns:
        From ``bhwc`` and ``training`` to ``OUTPUT`` and, by name, ``FEATURES``.
    """
    if not layers:
        return lambda images_bhwc, training: {
            OUTPUT: model(images_bhwc, training=training), FEATURES: {},
        }  # fmt: skip
    inner = [model.get_layer(name).output for name in layers]
    network = tf_keras.Model(model.inputs[0], [model.outputs[0], *inner])

    def run(images_bhwc: Any, training: bool) -> dict[str, Any]:
        output, *features = network(images_bhwc, training=training)
        return {OUTPUT: output, FEATURES: dict(zip(layers, features, strict=True))}

    return run


def maps_of(model: Any) -> dict[str, Resolution]:
    """Return the resolution of every layer that answers with one feature map, by its name.

    In the order of the model. A layer that is used twice answers twice, and is left out.

    Args:
        model: A functional or Sequential ``tf_keras`` model whose image has a fixed size.
    """
    found: dict[str, Resolution] = {}
    for layer in model.layers:
        once = len(layer.inbound_nodes) == 1 and not isinstance(layer, tf_keras.layers.InputLayer)
        shape = getattr(layer.output, "shape", ()) if once else ()
        if len(shape) == 4 and None not in shape[1:3]:
            found[layer.name] = (int(shape[1]), int(shape[2]))
    return found


def stages_of(model: Any) -> dict[Resolution, str]:
    """Return the last layer at every resolution above 1 x 1, the first resolution first."""
    maps = maps_of(model).items()
    return {resolution: name for name, resolution in maps if resolution != (1, 1)}
