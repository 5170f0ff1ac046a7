"""Conversion: from a Model's program to a ``.tflite`` of its plan, and what came out of it.

What was asked for and what the converter wrote are two things, so the file itself is read back: an
int8 file in which anything computes in float, or a pruned one that lost its zeros, is refused.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.lite.python.convert import ConverterError

from components.artifacts.lite_model import (
    MODEL_FILE,
    DType,
    LiteInput,
    LiteModelInfo,
    LiteOutput,
)
from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import calibration, model_folder
from components.ml.lite import parity
from components.ml.lite.flatbuffer import LiteFile
from components.ml.runtime import tf

_COMPLAINT = re.compile(r"'(tfl?\.\w+)' op (.*)")
_KEEPS_ZEROS = frozenset({"prune", "quantize"})
"""Steps after which a pruned weight is still 0."""
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BOOKKEEPING = frozenset({"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp"})


def convert(path: Path, lite: Path, report: Path, *, seed: int) -> None:
    """Write the LiteModel of a Model, and the report of what became of it.

    Args:
        path: The Model: its program, info and calibration images; nothing else is read.
        lite: Folder of the LiteModel to write.
        report: Folder to write ``conversion.json`` into.
        seed: Of the images that parity is measured on when the Model brings none.

    Raises:
        UserError: The plan cannot be carried out on this model.
    """
    info = ModelInfo.read(path)
    calibration_nhwc = calibration.read(path)
    content = to_lite(path, info, calibration_nhwc)
    file = LiteFile.parse(content)
    refuse(file, info)
    made = lite_info(info, file, content)
    lite.mkdir(parents=True, exist_ok=True)
    (lite / MODEL_FILE).write_bytes(content)
    made.write(lite)
    measured = parity.measure(path, lite, info, calibration_nhwc, seed=seed)
    report.mkdir(parents=True, exist_ok=True)
    (report / "conversion.json").write_bytes(
        canonical_json(
            {
                "schema": 1,
                "scheme": info.scheme,
                "operators": {"before": operators_of_program(path), "after": file.operators},
                "float_operators": list(file.float_operators),
                "delegate": measured.delegate,
                "weights": weights_by_type(file),
                "sparsity": file.sparsity,
                "input": {**asdict(made.input), "takes_pixels": made.input.takes_pixels},
                "output": asdict(made.output),
                "parity": measured.differences,
                "metadata": file.metadata,
                "size_bytes": made.size_bytes,
                "gzip_bytes": made.gzip_bytes,
            }
        )
    )


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


def refuse(file: LiteFile, info: ModelInfo) -> None:
    """Hold the file against what the Model says of it.

    Raises:
        UserError: An int8 file computes something in float.
        AssertionError: Types at the edges or zeros of pruned weights are not as they must be.
    """
    plan = info.quantization
    if info.scheme == "int8" and file.float_operators:
        raise UserError(
            "convert: the plan says int8 and these operators still compute in float: "
            + "; ".join(file.float_operators),
            "take scheme dynamic or float16 for this variant, or replace those layers",
        )
    for tensor, given in zip((file.input, file.output), edges_of(info), strict=True):
        assert tensor.dtype == given.upper(), f"{tensor.name} is {tensor.dtype}, plan: {given}"
        assert given == "float32" or tensor.affine, f"{tensor.name} is {given} without a scale"
    if plan and plan.scheme in {"float16", "int8"}:
        wide = [tensor.name for tensor in file.weights if tensor.dtype == "FLOAT32"]
        assert not wide, f"weights left in float32: {wide}"
    zeros = pruned_zeros(info)
    assert file.zeros >= zeros, f"{zeros} weights were pruned and {file.zeros} are 0 in the file"


def edges_of(info: ModelInfo) -> tuple[DType, DType]:
    """Return the types of a file's input and output; float32 without a plan."""
    plan = info.quantization
    return (plan.input_type, plan.output_type) if plan else ("float32", "float32")


def pruned_zeros(info: ModelInfo) -> int:
    """Return how many weights must be 0: as many as the last prune step left.

    A step after it that trains, and does not keep zeros, takes the promise away.
    """
    for step in reversed(info.steps):
        if step["component"] == "prune":
            return int(step["zeros"])
        if step["component"] not in _KEEPS_ZEROS:
            return 0
    return 0


def lite_info(info: ModelInfo, file: LiteFile, content: bytes) -> LiteModelInfo:
    """Return the info of the LiteModel that ``content`` is.

    Args:
        info: Of the Model it was made from.
        file: ``content``, read.
        content: The bytes of the ``.tflite``.
    """
    dtype_in, dtype_out = edges_of(info)
    return LiteModelInfo(
        task=info.task,
        input=LiteInput(**asdict(info.input), dtype=dtype_in, quantization=file.input.affine),
        output=LiteOutput.of(info.output, dtype_out, file.output.affine),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        gzip_bytes=len(gzip.compress(content, 9, mtime=0)),
        parameters=info.parameters,
        steps=info.steps,
        quantization=info.quantization,
    )


def operators_of_program(path: Path) -> dict[str, int]:
    """Count the TensorFlow operators that the Model's signature runs, before anything is fused.

    Those that only carry values around do not count.
    """
    program = saved_model_pb2.SavedModel()
    program.ParseFromString((path / model_folder.PROGRAM / "saved_model.pb").read_bytes())
    content = program.meta_graphs[0]
    (output,) = content.signature_def[model_folder.SIGNATURE].outputs.values()
    entry = output.name.partition(":")[0]
    functions = {f.signature.name: f.node_def for f in content.graph_def.library.function}
    todo = [node for node in content.graph_def.node if node.name == entry]
    found: Counter[str] = Counter()
    while todo:
        node = todo.pop()
        if node.op in _CALLS:
            todo.extend(functions[node.attr["f"].func.name])
        elif node.op not in _BOOKKEEPING:
            found[node.op] += 1
    return dict(sorted(found.items()))


def weights_by_type(file: LiteFile) -> dict[str, dict[str, int]]:
    """Return count, numbers, zeros and bytes of the weights of each type in the file."""
    found: dict[str, dict[str, int]] = {}
    for tensor in file.weights:
        row = found.setdefault(
            tensor.dtype, {"tensors": 0, "elements": 0, "zeros": 0, "size_bytes": 0}
        )
        row["tensors"] += 1
        row["elements"] += tensor.elements
        row["zeros"] += tensor.zeros or 0
        row["size_bytes"] += tensor.size_bytes
    return found
