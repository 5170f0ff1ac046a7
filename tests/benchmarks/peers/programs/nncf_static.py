"""NNCF's quantization after training, of the ONNX model through tf2onnx.

NNCF gave up TensorFlow; of what it takes, ONNX is what a Keras model becomes without torch.
"""

import nncf
from given import Given, GivenModel, Made, limit_tensorflow, read, write
from onnx_files import INPUT, exported


def files(given: Given, model: GivenModel) -> list[tuple[str, str, bytes, Made]]:
    images = given.calibration(model)
    dataset = nncf.Dataset(images, lambda image_1hwc: {INPUT: image_1hwc})
    quantized = nncf.quantize(exported(model), dataset, subset_size=len(images))
    return [("int8", ".onnx", quantized.SerializeToString(), {})]


given = read()
limit_tensorflow(given)
write(given, lambda model: files(given, model))
