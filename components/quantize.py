"""Quantize: decide in which precision the deployed file computes."""

from __future__ import annotations

from components.artifacts.model import QuantizationPlan
from components.contract.types import (
    DatasetIn,
    ModelIn,
    ModelOut,
    PositiveInt,
    ReportOut,
    Seed,
    Threads,
)

IMAGE = "train"
PATH = "last"  # what changes weights would have to calibrate again
NAMED_BY = ("scheme",)


def quantize(
    model: ModelIn,
    dataset: DatasetIn,
    quantized: ModelOut,
    report: ReportOut,
    *,
    plan: QuantizationPlan,
    calibration_images: PositiveInt = 200,
    full_range: bool = True,
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Give a model its quantization plan and the images to calibrate on.

    The model's weights stay what they are: ``convert`` carries the plan out. Calibration images are
    training images, drawn evenly over the classes and normalized as the app will do it.

    Args:
        model: The Model to quantize; one without an architecture will do.
        dataset: Where calibration images are drawn from, its train split alone.
        quantized: The same Model with the plan and ``calibration.npz``.
        report: ``quantization.json``: the plan, the rows drawn, their range, images by class.
        plan: What convert is to do.
        calibration_images: At most this many, count.
        full_range: Set two pixels of one image black and white, so that the levels of the input are
            exactly the pixel values 0 to 255.
        threads: Threads of TensorFlow, count.
        seed: Chooses the images.

    Raises:
        UserError: Integer edges for a scheme that computes in float, a model that is quantized
            already, or a dataset of another image size.

    References:
        arXiv:1712.05877 (integer-arithmetic-only inference), arXiv:2106.08295 (a white paper).
    """
    from components.ml.runtime import configure
    from components.ml.techniques import post_training_quantization

    configure(threads, seed)
    post_training_quantization.plan(
        model,
        dataset,
        quantized,
        report,
        chosen=plan,
        images=calibration_images,
        full_range=full_range,
        seed=seed,
    )
