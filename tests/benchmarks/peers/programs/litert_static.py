"""LiteRT's quantizer (formerly ai-edge-quantizer) on the float file: 8 bits, and weights of 4.

The second is the smallest that it offers with integers throughout: ``add_static_config`` allows 4
bits for convolutions and dense layers.
"""

import io
from contextlib import redirect_stderr

from given import Given, GivenModel, Made, read, write
from litert_quantizer import quantizer
from litert_quantizer.qtyping import TFLOperationName

SIGNATURE = "serving_default"


def files(given: Given, model: GivenModel) -> list[tuple[str, str, bytes, Made]]:
    return [
        (f"w{weight_bits}a8", ".tflite", quantized(given, model, weight_bits), {})
        for weight_bits in (8, 4)
    ]


def quantized(given: Given, model: GivenModel, weight_bits: int) -> bytes:
    made = quantizer.Quantizer(str(model.tflite))
    made.add_static_config(".*", TFLOperationName.ALL_SUPPORTED, 8, 8)  # as static_wi8_ai8
    if weight_bits != 8:
        for operation in (TFLOperationName.CONV_2D, TFLOperationName.FULLY_CONNECTED):
            made.add_static_config(".*", operation, 8, weight_bits)
    images = [{"image": image_1hwc} for image_1hwc in given.calibration(model)]
    with redirect_stderr(io.StringIO()):  # a progress bar that cannot be turned off
        ranges = made.calibrate({SIGNATURE: images})
        return bytes(made.quantize(ranges).quantized_model)


given = read()
write(given, lambda model: files(given, model))
