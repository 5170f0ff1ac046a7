"""Quantize-aware: train a network through the rounding of its int8 file."""

from __future__ import annotations

from typing import Literal

from components.contract.types import (
    DatasetIn,
    ModelIn,
    ModelOut,
    PositiveInt,
    ReportOut,
    Seed,
    Share,
    Threads,
)
from components.ml.settings import Augmentation, TeacherViews, TrainingSchedule

IMAGE = "train"
PATH = "last"  # what changes weights would undo the rounding that they are trained for
NAMED_BY = ()
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def quantize_aware(
    model: ModelIn,
    dataset: DatasetIn,
    quantized: ModelOut,
    report: ReportOut,
    *,
    method: Literal["own", "tfmot"] = "own",
    input_type: Literal["float32", "int8", "uint8"] = "float32",
    output_type: Literal["float32", "int8", "uint8"] = "float32",
    calibration_images: PositiveInt = 200,
    label_weight: Share = 0.0,
    schedule: TrainingSchedule = TrainingSchedule(epochs=6, learning_rate=1e-3),
    augmentation: Augmentation = Augmentation(),
    teacher_views: TeacherViews = TeacherViews(views=4),
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Train a network while it computes as its int8 file will, and plan that file.

    Batch norms are folded. Kernels are rounded for each output channel and outputs in ranges that
    calibration images reach, where the file rounds them, too; gradients go through as if nothing
    were rounded. The network learns to answer as it did before. Zeros of a pruned network and
    shared values of a clustered one are kept. ``convert`` checks that the file computes in no
    other ranges than these. Where the learning rate ruins the network, which validation shows after
    a quarter of the epochs, training begins again at a tenth of it, at most twice.

    Args:
        model: The Model to quantize; it must be one that can be trained further.
        dataset: Its splits train and validation are read.
        quantized: The network with folded batch norms and rounded kernels, its plan of scheme int8,
            ``ranges.safetensors`` and ``calibration.npz``.
        report: ``quantization.json``: ranges, folded batch norms, validation before, rounded
            without training and by epoch, learning rates that ruined the network.
        method: own: as told above, of every network. tfmot: as tensorflow_model_optimization does
            it, of the networks that it takes; batch norms stay, dense layers are rounded as a
            whole, and ranges are learned, which takes some hundred steps before it works at all.
        input_type: Type of the file's input. uint8 takes a camera's bytes.
        output_type: Type of the file's output.
        calibration_images: Training images that ranges are taken from, at most, count.
        label_weight: Share of the labels in the loss; the rest is the network's own answers.
        schedule: How long and how fast the network is trained.
        augmentation: How images are changed.
        teacher_views: What the network is asked about before it is rounded.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: A model without an architecture, one that ``quantize`` has planned already, a
            dataset that is not the model's, with tfmot a network of which TFMOT would leave
            weights in float, or a learning rate of which a hundredth ruins the network, too, where
            the last epoch is to be kept.

    References:
        arXiv:1712.05877 (training with simulated quantization), arXiv:1308.3432 (straight-through
        gradients), arXiv:1503.02531 (probabilities of a teacher).
    """
    from components.artifacts.model import QuantizationPlan
    from components.ml.runtime import configure
    from components.ml.techniques import quantization_aware_training
    from components.ml.techniques.self_distillation import SelfDistillation

    configure(threads, seed)
    quantization_aware_training.quantize(
        model,
        dataset,
        quantized,
        report,
        method=method,
        plan=QuantizationPlan("int8", input_type, output_type),
        images=calibration_images,
        training=SelfDistillation(schedule, augmentation, teacher_views, label_weight, seed),
    )
