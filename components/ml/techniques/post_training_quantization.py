"""Quantization after training: the plan that ``convert`` carries out, and what it calibrates on.

Nothing is computed in lower precision here. A plan and a handful of training images go with the
model, so that the conversion reads nothing else and gives the same bytes again.

Shapes: n images, h rows, w columns, c channels.

References:
    Jacob et al., Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference, arXiv:1712.05877.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.history import LayerError
from components.artifacts.model import AUTO, ModelInfo, QuantizationPlan
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.tree import files_of
from components.ml.formats import calibration as calibrating
from components.ml.formats import model_folder
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.layers import excepted, layers_of
from components.ml.lite.sensitivity import except_layers, measure
from components.ml.lite.sensitivity import report as written
from components.ml.lite.trial import Trial
from components.ml.lite.writing import with_ranges
from components.ml.techniques.image_draws import (
    draw,
    draw_identities,
    draw_random,
    with_full_range,
)
from components.ml.techniques.quantization_settings import (
    CalibrationSettings,
    SensitivitySettings,
    plan_faults,
)
from components.statistics.verification import has_pairs

_CALIBRATION_SPLIT = "train"
_VALIDATION = "validation"


def plan(
    path: Path, dataset: Path, quantized: Path, report: Path,
    *, chosen: QuantizationPlan, calibration: CalibrationSettings, sensitivity: SensitivitySettings,
    threads: int, seed: int,
) -> None:  # fmt: skip
    """Write the Model that carries ``chosen``, its calibration images and the report of both.

    Args:
        path: The Model to quantize.
        dataset: Its training images are drawn from, its validation images measured on.
        quantized: Folder of the Model to write.
        report: Folder to write ``quantization.json`` and perhaps ``sensitivity.json`` into.
        chosen: The plan; ``auto`` in it is replaced by names.
        calibration: What images are drawn, and how.
        sensitivity: What is measured by layer.
        threads: Of the runtime that measures.
        seed: Of the draws.

    Raises:
        UserError: Parameters that make no sense together, a plan twice, images of another size, a
            layer that there is none of, or a drop that cannot be kept.
    """
    for fault in plan_faults(chosen, calibration, sensitivity):
        raise UserError(f"quantize: {fault.what}", fault.fix)
    info, data = ModelInfo.read(path), Dataset.open(dataset)
    _check(info, data, path)
    labels_n = data.labels(_CALIBRATION_SPLIT)
    count = calibration.calibration_images
    rows = (
        draw(labels_n, count, seed)
        if calibration.calibration == "stratified"
        else draw_random(len(labels_n), count, seed)
    )
    pixels_nhwc = np.asarray(data.images(_CALIBRATION_SPLIT)[rows])
    if calibration.full_range:
        pixels_nhwc = with_full_range(pixels_nhwc)
    images_nhwc = model_folder.normalize(pixels_nhwc, info)
    errors: tuple[LayerError, ...] = ()
    if chosen.float_layers or sensitivity.sensitivity:
        chosen, errors = _by_layer(
            path, info, data, report, images_nhwc, chosen, sensitivity, threads=threads, seed=seed
        )
    step = {"component": "quantize", **asdict(chosen), "calibration_images": len(rows)}
    if chosen.float_layers:
        step["in_float"] = len(chosen.float_layers)
    for name, file in files_of(path):
        if name != ModelInfo.FILE:
            (quantized / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, quantized / name)
    calibrating.write(quantized, images_nhwc)
    info.after(step, layers=errors, quantization=chosen, promises=info.promises).write(quantized)
    report.mkdir(parents=True, exist_ok=True)
    drawn = np.bincount(labels_n[rows], minlength=len(data.info.classes))
    (report / "quantization.json").write_bytes(
        canonical_json(
            {
                "schema": 1,
                **asdict(chosen),
                "calibration": {
                    "split": _CALIBRATION_SPLIT,
                    "drawn": calibration.calibration,
                    "rows": rows.tolist(),
                    "full_range": calibration.full_range,
                    "minimum": float(images_nhwc.min()),
                    "maximum": float(images_nhwc.max()),
                    "images_by_class": {
                        name: int(count)
                        for name, count in zip(data.info.classes, drawn, strict=True)
                        if count
                    },
                },
            }
        )
    )


def _by_layer(
    path: Path, info: ModelInfo, data: Dataset, report: Path, images_nhwc: np.ndarray,
    chosen: QuantizationPlan, wanted: SensitivitySettings, *, threads: int, seed: int,
) -> tuple[QuantizationPlan, tuple[LayerError, ...]]:  # fmt: skip
    """Check the names of layers, measure their errors and replace ``auto``.

    Args:
        path: The Model.
        info: Its info.
        data: Has the validation images.
        report: Folder to write ``sensitivity.json`` into.
        images_nhwc: To calibrate on.
        chosen: The plan.
        wanted: What is to be measured.
        threads: Of the runtime.
        seed: Of the draw.

    Returns:
        The plan with the names of layers alone, and the errors of layers where they were measured.
    """
    calibrated = with_ranges(path, images_nhwc, chosen.scheme)
    auto = AUTO in chosen.float_layers
    if not auto:
        excepted(layers_of(LiteFile.parse(calibrated)), chosen, where="quantize")
    if not (auto or wanted.sensitivity):
        return chosen, ()
    labels_n = _validation_labels(data, info.task)
    drawing = draw_identities if info.task == "verification" else draw
    rows = drawing(labels_n, wanted.validation_images, seed)
    trial = Trial(
        calibrated=calibrated,
        plan=replace(chosen, float_layers=()),
        images_nhwc=model_folder.normalize(np.asarray(data.images(_VALIDATION)[rows]), info),
        labels_n=labels_n[rows],
        task=info.task,
        resample=data.info.resample,
        threads=threads,
    )
    found = measure(trial)
    if auto:
        assert wanted.max_drop is not None, "the faults of the plan say so"
        found = except_layers(trial, found, wanted.max_drop)
        chosen = replace(chosen, float_layers=tuple(step.layer for step in found.excepted))
    report.mkdir(parents=True, exist_ok=True)
    (report / "sensitivity.json").write_bytes(canonical_json(written(trial, found)))
    return chosen, tuple(
        LayerError(name, error.rmse, name in chosen.float_layers)
        for name, error in found.by_layer.items()
    )


def _validation_labels(data: Dataset, task: str) -> np.ndarray:
    labels_n = data.labels(_VALIDATION) if data.info.splits.get(_VALIDATION) else np.empty(0, int)
    if len(labels_n) == 0 or (task == "verification" and not has_pairs(labels_n)):
        raise UserError(
            "quantize: errors of layers are measured on validation images, and the dataset has "
            f"{len(labels_n)} there, with nothing to compare",
            f"add images, or raise {_VALIDATION} under split:",
        )
    return labels_n


def _check(info: ModelInfo, data: Dataset, path: Path) -> None:
    if info.quantization is not None:
        raise UserError(
            f"quantize: the model in {path} is quantized already ({info.quantization.scheme})",
            "let each variant have one quantize step",
        )
    if data.info.shape != info.image_shape:
        raise UserError(
            f"quantize: the model takes images of {_size(info.image_shape)} and the dataset has "
            f"{_size(data.info.shape)}",
            "give image: the size that the model was made for",
        )


def _size(shape: tuple[int, int, int]) -> str:
    return " x ".join(str(side) for side in shape)
