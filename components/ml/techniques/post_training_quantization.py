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
from dataclasses import asdict
from pathlib import Path

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo, QuantizationPlan
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.tree import files_of
from components.ml.formats import calibration, model_folder

_CALIBRATION_SPLIT = "train"


def plan(
    path: Path, dataset: Path, quantized: Path, report: Path,
    *, chosen: QuantizationPlan, images: int, full_range: bool, seed: int,
) -> None:  # fmt: skip
    """Write the Model that carries ``chosen``, its calibration images and the report of both.

    Args:
        path: The Model to quantize.
        dataset: Its training images are drawn from.
        quantized: Folder of the Model to write.
        report: Folder to write ``quantization.json`` into.
        chosen: The plan.
        images: How many images to draw, at most.
        full_range: See ``with_full_range``.
        seed: Of the draw.

    Raises:
        UserError: Integer edges without int8, a plan twice, or images of another size.
    """
    info, data = ModelInfo.read(path), Dataset.open(dataset)
    _check(info, data, chosen, path)
    rows = draw(data.labels(_CALIBRATION_SPLIT), images, seed)
    pixels_nhwc = np.asarray(data.images(_CALIBRATION_SPLIT)[rows])
    if full_range:
        pixels_nhwc = with_full_range(pixels_nhwc)
    images_nhwc = model_folder.normalize(pixels_nhwc, info)
    step = {"component": "quantize", **asdict(chosen), "calibration_images": len(rows)}
    for name, file in files_of(path):
        if name != ModelInfo.FILE:
            (quantized / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, quantized / name)
    calibration.write(quantized, images_nhwc)
    info.after(step, quantization=chosen, promises=info.promises).write(quantized)
    report.mkdir(parents=True, exist_ok=True)
    drawn = np.bincount(data.labels(_CALIBRATION_SPLIT)[rows], minlength=len(data.info.classes))
    (report / "quantization.json").write_bytes(
        canonical_json(
            {
                "schema": 1,
                **asdict(chosen),
                "calibration": {
                    "split": _CALIBRATION_SPLIT,
                    "rows": rows.tolist(),
                    "full_range": full_range,
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


def _check(info: ModelInfo, data: Dataset, chosen: QuantizationPlan, path: Path) -> None:
    if chosen.scheme != "int8" and {chosen.input_type, chosen.output_type} != {"float32"}:
        raise UserError(
            f"quantize: scheme {chosen.scheme} computes in floating point, so its input_type and "
            f"output_type are float32 (given: {chosen.input_type} and {chosen.output_type})",
            "use scheme: int8, or leave input_type and output_type away",
        )
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


def draw(labels_n: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose rows evenly over the classes: one of each class in turn, at random within a class.

    Args:
        labels_n: Class of every row.
        count: How many rows, at most.
        seed: The same seed chooses the same rows.

    Returns:
        Row numbers, ascending.
    """
    order_n = np.random.default_rng(seed).permutation(len(labels_n))
    turns_n = np.empty(len(labels_n), np.int64)  # the how-manieth of its class a row is
    for label in np.unique(labels_n):
        members = order_n[labels_n[order_n] == label]
        turns_n[members] = np.arange(len(members))
    # Stable, so that within a turn the order is random too and a short draw favours no class.
    chosen = order_n[np.argsort(turns_n[order_n], kind="stable")][:count]
    return np.sort(chosen)


def with_full_range(pixels_nhwc: np.ndarray) -> np.ndarray:
    """Return the images with one black and one white pixel somewhere.

    Calibration takes the smallest and the largest value of the input for its range. Images that
    happen to be neither quite black nor quite white anywhere would make the app's pixels fall
    between the levels; with both in, one level is one pixel value and an app can hand over its
    bytes as they are. Two pixels in opposite corners of the first image do that; whole black and
    white images, which no camera takes, would stretch the range of every layer behind the input.

    Args:
        pixels_nhwc: uint8.
    """
    marked_nhwc = pixels_nhwc.copy()
    marked_nhwc[0, 0, 0] = 0
    marked_nhwc[0, -1, -1] = 255
    return marked_nhwc
