"""Writing: the bytes of a ``.tflite``, from a Model's program by its quantization plan.

Integer schemes are written in two steps: a float file whose tensors carry the ranges seen in
calibration (seconds), and a file in integers made of it (a tenth of a second). The second can be
done again with other exceptions, which is how ``sensitivity`` works.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.lite.python.convert import (
    ConverterError,
    deduplicate_readonly_buffers,
    mlir_quantize,
)

from components.artifacts.model import INTEGER_SCHEMES, ModelInfo, QuantizationPlan
from components.contract.errors import UserError
from components.ml.formats import model_folder
from components.ml.lite.exact_pixels import with_exact_pixels
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.layers import excepted, layers_of, outputs_of
from components.ml.lite.litert_schemes import quantized_by_litert
from components.ml.lite.precision import refuse_other_precision
from components.ml.lite.standard_error import heard
from components.ml.runtime import tf

_COMPLAINT = re.compile(r"(?:loc\(\"([^\"]*)\"\): (?:error: )?)?'(tfl?\.\w+)' op (.*)")


def to_lite(path: Path, info: ModelInfo, calibration_nhwc: np.ndarray | None) -> bytes:
    """Convert ``saved_model/`` by the plan.

    Args:
        path: The Model's folder.
        info: Its info.
        calibration_nhwc: Normalized images; integer schemes need them.

    Returns:
        The bytes of the ``.tflite``, the same for the same Model: metadata of the conversion,
        which holds versions, is left out.

    Raises:
        UserError: The converter refuses an operator of the model, there is no layer of a name that
            the plan excepts, or something else than planned computes in float.
    """
    plan = info.quantization
    if plan is None or plan.scheme not in INTEGER_SCHEMES:
        converter = _converter(path)
        if plan is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if info.scheme == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return _run(converter, info.scheme)
    assert calibration_nhwc is not None, "quantize writes calibration images for every plan"
    calibrated = with_ranges(path, calibration_nhwc, info.scheme)
    layers = layers_of(LiteFile.parse(calibrated))
    kept = outputs_of(excepted(layers, plan, where="convert"))
    content = in_integers(calibrated, plan, kept)
    if plan.exact_pixels:
        content = with_exact_pixels(content, info.input)
    refuse_other_precision(LiteFile.parse(content), plan, layers, kept)
    return content


def sparse_float16(path: Path) -> bytes:
    """Return the float16 file of a Model that leaves zeros of weights out, however few there are.

    Args:
        path: The Model's folder.

    Raises:
        UserError: The converter refuses an operator of the model.
    """
    converter = _converter(path)
    optimize = tf.lite.Optimize
    converter.optimizations = [optimize.DEFAULT, optimize.EXPERIMENTAL_SPARSITY]
    converter.target_spec.supported_types = [tf.float16]
    return _run(converter, "float16")


def with_ranges(path: Path, calibration_nhwc: np.ndarray, scheme: str) -> bytes:
    """Return a float file of a Model whose tensors carry the ranges that images gave them.

    Args:
        path: The Model's folder.
        calibration_nhwc: Normalized images.
        scheme: What the file is for; errors say it.

    Raises:
        UserError: The converter refuses an operator of the model.
    """
    converter = _converter(path)

    def representative() -> Iterator[list[np.ndarray]]:
        return ([image_hwc[np.newaxis]] for image_hwc in calibration_nhwc)

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_calibrate_only = True  # noqa: SLF001 what its QuantizationDebugger does
    return _run(converter, scheme)


def in_integers(calibrated: bytes, plan: QuantizationPlan, kept: Collection[str]) -> bytes:
    """Quantize a file of ``with_ranges``.

    Args:
        calibrated: The file.
        plan: Scheme and types of the edges.
        kept: Names of tensors: the operators that write them stay in float.

    Raises:
        UserError: The scheme does not take an operator of the model.
    """
    write = _by_mlir if plan.scheme == "int8" else quantized_by_litert
    with _refusing(plan.scheme, again=lambda: write(calibrated, plan, kept)):
        return write(calibrated, plan, kept)


def _by_mlir(calibrated: bytes, plan: QuantizationPlan, kept: Collection[str]) -> bytes:
    written = mlir_quantize(
        calibrated,
        input_data_type=tf.dtypes.as_dtype(plan.input_type),
        output_data_type=tf.dtypes.as_dtype(plan.output_type),
        denylisted_nodes=sorted(kept) or None,
    )
    return bytes(deduplicate_readonly_buffers(written))


def _converter(path: Path) -> Any:
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(path / model_folder.PROGRAM), signature_keys=[model_folder.SIGNATURE]
    )
    converter.exclude_conversion_metadata = True
    return converter


def _run(converter: Any, scheme: str) -> bytes:
    with _refusing(scheme):
        return bytes(converter.convert())


@contextmanager
def _refusing(scheme: str, again: Callable[[], object] | None = None) -> Generator[None]:
    """Turn what the converter raises into the user's error.

    Args:
        scheme: Of the file.
        again: Does the same once more, to hear a reason that is printed and not raised.
    """
    try:
        yield
    except (ConverterError, RuntimeError, ValueError) as error:
        told = str(error)
        if again is not None and not told.strip():
            with heard() as printed, suppress(ConverterError, RuntimeError, ValueError):
                again()
            told = "\n".join(_complaints(printed.text))
        raise UserError(
            f"convert: this model cannot be converted as {scheme}: {_cause(told)}",
            "replace the layer that computes it; where only integers fail, end the variant with "
            "quantize: {scheme: float16} or {scheme: dynamic}",
        ) from error


def _cause(message: str) -> str:
    """Return what the converter complains about: the operators it names, or its first line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return "; ".join(_complaints(message)) or next(iter(lines), "it gives no reason")


def _complaints(message: str) -> list[str]:
    """Return the operators that are named, each with its place in the network and what is wrong."""
    return list(
        dict.fromkeys(
            f"{place}: {name} {why}" if place else f"{name} {why}"
            for place, name, why in _COMPLAINT.findall(message)
        )
    )
