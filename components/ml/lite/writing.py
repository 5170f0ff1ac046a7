"""Writing: the bytes of a ``.tflite``, from a Model's program by its quantization plan.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tensorflow.lite.python.convert import ConverterError

from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.ml.formats import model_folder
from components.ml.runtime import tf

_COMPLAINT = re.compile(r"'(tfl?\.\w+)' op (.*)")


def to_lite(path: Path, info: ModelInfo, calibration_nhwc: np.ndarray | None) -> bytes:
    """Convert ``saved_model/`` by the plan.

    Args:
        path: The Model's folder.
        info: Its info.
        calibration_nhwc: Normalized images; int8 needs them.

    Returns:
        The bytes of the ``.tflite``, the same for the same Model: metadata of the conversion,
        which holds versions, is left out.

    Raises:
        UserError: The converter refuses an operator of the model.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(path / model_folder.PROGRAM), signature_keys=[model_folder.SIGNATURE]
    )
    converter.exclude_conversion_metadata = True
    plan, scheme = info.quantization, info.scheme
    if plan is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if plan is not None and scheme == "int8":
        assert calibration_nhwc is not None, "quantize writes calibration images for every plan"
        images_nhwc = calibration_nhwc

        def representative() -> Iterator[list[np.ndarray]]:
            return ([image_hwc[np.newaxis]] for image_hwc in images_nhwc)

        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.dtypes.as_dtype(plan.input_type)
        converter.inference_output_type = tf.dtypes.as_dtype(plan.output_type)
    try:
        return converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        raise UserError(
            f"convert: this model cannot be converted as {scheme}: {_cause(str(error))}",
            "replace the layer that computes it; where only int8 fails, take another scheme",
        ) from error


def _cause(message: str) -> str:
    """Return what the converter complains about: the operators it names, or its first line."""
    named = dict.fromkeys(f"{name} {why}" for name, why in _COMPLAINT.findall(message))
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return "; ".join(named) or next(iter(lines), "it gives no reason")
