"""Quantization-aware training: a network learns while it is rounded as its int8 file will be.

The Model that comes out is a plain one, with folded batch norms and rounded kernels; where outputs
are rounded, and in which ranges, lies beside it and in the program that is converted.

Shapes: n images, h rows, w columns, c channels.

References:
    Jacob et al., Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference, arXiv:1712.05877; Bengio et al., arXiv:1308.3432
    (straight-through gradients).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo, QuantizationPlan
from components.artifacts.promises import Promises
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import calibration, model_folder, ranges
from components.ml.networks.folding import Folded, fold
from components.ml.networks.kernels import Kernel, kernels_of_model
from components.ml.networks.rounding import Range
from components.ml.techniques import self_distillation
from components.ml.techniques.post_training_quantization import draw, with_full_range
from components.ml.techniques.self_distillation import Recovery, SelfDistillation
from components.ml.training.constrained import ConstrainedNetwork
from components.ml.training.constraints import Constraint, Levels, promised

_SPLIT = "train"


def quantize(
    path: Path, dataset: Path, quantized: Path, report: Path,
    *, plan: QuantizationPlan, images: int, training: SelfDistillation,
) -> None:  # fmt: skip
    """Train a Model through its rounding and write it; see ``components.quantize_aware``.

    Args:
        path: The Model; one that was trained in this way before goes on in its ranges.
        dataset: Trained on, and calibrated on.
        quantized: Folder of the Model to write.
        report: Folder to write ``quantization.json`` into.
        plan: What convert is to do, of scheme int8.
        images: How many images to calibrate on, at most.
        training: How.
    """
    before, info = model_folder.load(path, "trained through its rounding")
    data = Dataset.open(dataset)
    self_distillation.check("quantize_aware", info, data, path)
    if info.quantization is not None and not info.promises.ranges:
        raise UserError(
            f"quantize_aware: the model in {path} has a plan of quantize already "
            f"({info.quantization.scheme})",
            "let quantize_aware take the place of quantize in this variant",
        )
    rows = draw(data.labels(_SPLIT), images, training.seed)
    pixels_nhwc = with_full_range(np.asarray(data.images(_SPLIT)[rows]))
    images_nhwc = model_folder.normalize(pixels_nhwc, info)
    folded = fold(before, info.image_shape)
    kernels = kernels_of_model(folded.model)
    network = ConstrainedNetwork(folded.model, _constraints(kernels, info.promises))
    network.ranges = ranges.read(path) or network.observed(images_nhwc, _range_of_pixels(info))
    recovery = self_distillation.train(network, info, data, before, training)
    network.bake()
    step = {
        "component": "quantize_aware", **asdict(plan), "calibration_images": len(rows),
        "epochs": recovery.history.kept.number,
    }  # fmt: skip
    kept = _kept(info.promises, kernels, network.ranges)
    after = info.after(step, quantization=plan, promises=kept)
    model_folder.save(quantized, folded.model, after, network.program)
    ranges.write(quantized, network.ranges)
    calibration.write(quantized, images_nhwc)
    _write_report(report, plan, folded, network.ranges, rows, recovery)


def _constraints(
    kernels: Sequence[Kernel], promises: Promises
) -> dict[str, Sequence[Constraint]]:  # fmt: skip
    """Return what kernels are held to: what was promised of them, and then the file's rounding."""
    shared = {kernel.layer: kernel for kernel in promises.shared}
    missing = shared.keys() - {kernel.name for kernel in kernels}
    assert not missing, f"what was promised of {missing} cannot be kept: there is no such kernel"
    zeros = bool(promises.zeros)
    return {
        kernel.name: [
            *promised(kernel, zeros=zeros, shared=shared.get(kernel.name)), Levels.of(kernel),
        ]
        for kernel in kernels
    }  # fmt: skip


def _kept(
    promises: Promises, kernels: Sequence[Kernel], known: Mapping[str, Range]
) -> Promises:  # fmt: skip
    """Return what is promised of the rounded kernels."""
    zeros = sum(int((kernel.variable.numpy() == 0).sum()) for kernel in kernels)
    return Promises(
        zeros=zeros if promises.zeros else 0,
        # Rounding has a step for each channel, so that equal weights of two channels differ.
        shared=tuple(replace(kernel, per="channel") for kernel in promises.shared),
        ranges=len(known),
    )


def _range_of_pixels(info: ModelInfo) -> Range:
    """Return what black and white are for the network: one level is one pixel value."""
    return ((0 - info.input.mean) / info.input.scale, (255 - info.input.mean) / info.input.scale)


def _write_report(
    report: Path, plan: QuantizationPlan, folded: Folded, known: Mapping[str, Range],
    rows: np.ndarray, recovery: Recovery,
) -> None:  # fmt: skip
    report.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        **asdict(plan),
        "calibration": {"split": _SPLIT, "rows": rows.tolist()},
        "ranges": {name: list(ends) for name, ends in known.items()},
        "folded": {"norms": dict(folded.norms), "left": dict(folded.left)},
        "training": recovery.to_json(),
    }
    (report / "quantization.json").write_bytes(canonical_json(content))
