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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo, QuantizationPlan
from components.artifacts.promises import Promises
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import calibration, model_folder, ranges, samples
from components.ml.graphs.flattening import flattened
from components.ml.graphs.folding import Folded, fold
from components.ml.graphs.kernels import Kernel, kernels_of_model
from components.ml.graphs.rounding import Range
from components.ml.techniques import self_distillation
from components.ml.techniques.image_draws import draw, with_full_range
from components.ml.techniques.self_distillation import Recovery, SelfDistillation
from components.ml.training.constrained import ConstrainedNetwork
from components.ml.training.constraints import Constraint, Levels, promised

Method: TypeAlias = Literal["own", "tfmot"]

_SPLIT = "train"


def quantize(
    path: Path, dataset: Path, quantized: Path, report: Path,
    *, method: Method, plan: QuantizationPlan, images: int, training: SelfDistillation,
) -> None:  # fmt: skip
    """Train a Model through its rounding and write it; see ``components.quantize_aware``.

    Args:
        path: The Model; one that was trained in this way before goes on in its ranges.
        dataset: Trained on, and calibrated on.
        quantized: Folder of the Model to write.
        report: Folder to write ``quantization.json`` into.
        method: See there.
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
    if method == "own":
        made = _own(path, before, info, data, images_nhwc, training)
    else:
        made = _by_tfmot(before, info, data, training)
    step = {
        "component": "quantize_aware", "method": method, **asdict(plan),
        "calibration_images": len(rows), "epochs": made.recovery.kept_epoch,
    }  # fmt: skip
    after = info.after(step, curve=made.recovery.curve, quantization=plan, promises=made.promises)
    model_folder.save(quantized, made.model, after)
    model_folder.export(quantized, made.program, made.held, after)
    samples.pass_on(path, quantized)
    if made.ranges:
        ranges.write(quantized, made.ranges)
    calibration.write(quantized, images_nhwc)
    _write_report(report, method, plan, made, rows)


@dataclass(frozen=True, eq=False)
class _Made:
    """What came of the training.

    Attributes:
        model: The plain network.
        program: It with its rounding, from ``bhwc`` to ``bd``.
        held: The variables of the program.
        ranges: That outputs are rounded in, by call; none where TFMOT keeps them.
        promises: Of the weights.
        folded: Which batch norms are gone; None where they are still there.
        recovery: What the training came to.
    """

    model: Any
    program: Callable[[Any], Any]
    held: Any
    ranges: Mapping[str, Range]
    promises: Promises
    folded: Folded | None
    recovery: Recovery


def _own(
    path: Path, before: Any, info: ModelInfo, data: Dataset, images_nhwc: np.ndarray,
    training: SelfDistillation,
) -> _Made:  # fmt: skip
    folded = fold(before, info.image_shape)
    kernels = kernels_of_model(folded.model)
    network = ConstrainedNetwork(folded.model, _constraints(kernels, info.promises))
    network.ranges = ranges.read(path) or network.observed(images_nhwc, _range_of_pixels(info))
    recovery = self_distillation.train(network, info, data, before, training)
    network.bake()
    kept = _kept(info.promises, kernels, network.ranges)
    return _Made(
        folded.model, network.program, network.weights, network.ranges, kept, folded, recovery
    )


def _by_tfmot(before: Any, info: ModelInfo, data: Dataset, training: SelfDistillation) -> _Made:
    from components.ml.techniques import tfmot_quantization  # its import takes seconds

    model = flattened(before, info.image_shape)
    network = tfmot_quantization.wrapped(model, info)
    recovery = self_distillation.train(network, info, data, before, training)
    tfmot_quantization.strip(network, model)

    def program(images_bhwc: Any) -> Any:
        return network(images_bhwc, training=False)

    return _Made(model, program, network.weights, {}, Promises(), None, recovery)


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
    report: Path, method: Method, plan: QuantizationPlan, made: _Made, rows: np.ndarray
) -> None:  # fmt: skip
    report.mkdir(parents=True, exist_ok=True)
    folded = made.folded
    content = {
        "schema": 1,
        "method": method,
        **asdict(plan),
        "calibration": {"split": _SPLIT, "rows": rows.tolist()},
        "ranges": {name: list(ends) for name, ends in made.ranges.items()},
        "folded": folded and {"norms": dict(folded.norms), "left": dict(folded.left)},
        "training": made.recovery.to_json(),
    }
    (report / "quantization.json").write_bytes(canonical_json(content))
