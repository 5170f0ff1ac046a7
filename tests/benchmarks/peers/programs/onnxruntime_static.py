"""ONNX Runtime's static quantization: QDQ, int8, scales per channel, through tf2onnx."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from given import Given, GivenModel, Made, limit_tensorflow, read, write
from onnx_files import INPUT, exported
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Images(CalibrationDataReader):
    """The images that every peer calibrates on."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self._images: Iterator[np.ndarray] = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image_1hwc = next(self._images, None)
        return None if image_1hwc is None else {INPUT: image_1hwc}


def files(given: Given, model: GivenModel) -> list[tuple[str, str, bytes, Made]]:
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, written = (
            Path(folder, f"{name}.onnx") for name in ("plain", "prepared", "written")
        )
        onnx.save(exported(model), plain)
        quant_pre_process(str(plain), str(prepared))
        quantize_static(
            str(prepared),
            str(written),
            Images(given.calibration(model)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        return [("static int8", ".onnx", written.read_bytes(), {})]


given = read()
limit_tensorflow(given)
write(given, lambda model: files(given, model))
