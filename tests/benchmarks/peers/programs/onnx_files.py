"""The float model as ONNX, through tf2onnx, for the peers that quantize that."""

from __future__ import annotations

from typing import Any

from given import GivenModel

OPSET = 17
INPUT = "image"


def exported(model: GivenModel) -> Any:
    """Return the ``onnx.ModelProto`` of a model; it takes one image, 1 x h x w x c."""
    import tensorflow as tf
    import tf2onnx

    network = model.keras()
    shape = (1, *network.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT)])
    def answer(image: Any) -> Any:
        return network(image, training=False)

    found, _ = tf2onnx.convert.from_function(
        answer, input_signature=answer.input_signature, opset=OPSET
    )
    return found
