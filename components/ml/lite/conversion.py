"""Conversion: from a Model's program to a ``.tflite`` of its plan, and what came out of it.

What was asked for and what the converter wrote are two things, so the file itself is read back: an
int8 file in which anything computes in float, or a pruned one that lost its zeros, is refused.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.lite_model import MODEL_FILE, LiteInput, LiteModelInfo, LiteOutput
from components.artifacts.making import Making
from components.artifacts.measurement import Crash
from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json
from components.devices.isolated import IsolatedOutputs, answers_of
from components.ml.formats import calibration, ranges
from components.ml.lite import downloads, gpu_delegate, parity, sparse_layout
from components.ml.lite import repack as repacking
from components.ml.lite.anatomy import anatomy
from components.ml.lite.checking import edges_of, refuse
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.fusion import fusion
from components.ml.lite.metadata import with_metadata
from components.ml.lite.operators import operators_of_program, weights_by_type
from components.ml.lite.warnings import warnings_of
from components.ml.lite.writing import to_lite


def convert(
    path: Path, lite: Path, report: Path, *, repack: bool, metadata: bool, seed: int
) -> None:
    """Write the LiteModel of a Model, and the report of what became of it.

    Args:
        path: The Model: its program, info, samples and calibration images; nothing else is read.
        lite: Folder of the LiteModel to write.
        report: Folder to write ``conversion.json`` into.
        repack: Write the file anew without loss, in fewer bytes.
        metadata: Write labels and normalization into the file.
        seed: Of the images that parity is measured on when the Model brings none.

    Raises:
        UserError: The plan cannot be carried out on this model.
    """
    info = ModelInfo.read(path)
    calibration_nhwc = calibration.read(path)
    written = to_lite(path, info, calibration_nhwc)
    shrink = repacking.repack if repack else repacking.unchanged
    sparse = None
    if info.quantization is not None and info.quantization.sparse:
        images_nhwc, _ = parity.images_of(path, info, calibration_nhwc, seed)
        sparse = sparse_layout.smaller(
            path,
            written,
            shrink=lambda content: shrink(content).content,
            answers=lambda content: _answers(info, content, images_nhwc),
        )
        written = sparse.content
    if metadata:
        written = with_metadata(written, info)
    named = LiteFile.parse(written)  # a repacked file has no names left that a report could give
    refuse(named, info, ranges.read(path))
    repacked = shrink(written)
    content = repacked.content
    file = LiteFile.parse(content)
    refuse(file, info, ranges.read(path))
    made = lite_info(info, file, content)
    lite.mkdir(parents=True, exist_ok=True)
    (lite / MODEL_FILE).write_bytes(content)
    made.write(lite)
    measured = parity.measure(path, lite, info, calibration_nhwc, seed=seed)
    report.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {
        "schema": 1,
        "scheme": info.scheme,
        "operators": {"before": operators_of_program(path), "after": file.operators},
        "fusion": fusion(path, named),
        "float_operators": list(named.float_operators),
        "delegate": _delegate(measured.delegate, named),
        "gpu_delegate": gpu_delegate.outside(named),
        "weights": weights_by_type(file),
        "sparsity": file.sparsity,
        "sparse_layout": sparse and sparse.to_json(),
        "promises": asdict(info.promises),
        "input": {**asdict(made.input), "takes_pixels": made.input.takes_pixels},
        "output": asdict(made.output),
        "parity": measured.differences,
        "warnings": list(made.warnings),
        "metadata": file.metadata,
        "anatomy": anatomy(content).to_json(),
        "repack": {
            **repacked.to_json(),
            "anatomy_before": anatomy(written).to_json(),
        },
        "size_bytes": made.size_bytes,
        "gzip_bytes": made.gzip_bytes,
        **downloads.brotli_of(content),
    }
    (report / "conversion.json").write_bytes(canonical_json(told))
    Making.told(info.history, told).write(lite)


def _answers(info: ModelInfo, content: bytes, images_nhwc: np.ndarray) -> IsolatedOutputs | Crash:
    """Run a file that is not chosen yet."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / MODEL_FILE).write_bytes(content)
        lite_info(info, LiteFile.parse(content), content).write(folder)
        return answers_of(folder, images_nhwc, threads=1)


def _delegate(found: dict[str, Any] | None, named: LiteFile) -> dict[str, Any] | None:
    """Say of the operators outside the delegate which they are, as ``NAME -> name of its output``.

    Args:
        found: How the runtime divided the file; None after a crash.
        named: The same operators with the names of their tensors.
    """
    if found is None:
        return None
    graph = named.subgraphs[0]
    operators = [graph.operators[place] for place in found["places"]]
    assert [op.name for op in operators] == list(found["outside"]), "operators moved"
    told = [f"{op.name} -> {graph.tensors[op.outputs[0]].name}" for op in operators]
    kept = {name: value for name, value in found.items() if name != "places"}
    return {**kept, "outside_named": told}


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
        gzip_bytes=downloads.gzip_bytes(content),
        parameters=info.parameters,
        steps=info.steps,
        quantization=info.quantization,
        warnings=tuple(warnings_of(file, info.quantization)),
    )
