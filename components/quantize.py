"""Quantize: decide in which precision the deployed file computes."""

from __future__ import annotations

from components.artifacts.model import QuantizationPlan
from components.contract.types import DatasetIn, ModelIn, ModelOut, ReportOut, Seed, Threads
from components.ml.techniques.quantization_settings import CalibrationSettings, SensitivitySettings

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
    calibration: CalibrationSettings = CalibrationSettings(),
    sensitivity: SensitivitySettings = SensitivitySettings(),
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Give a model its quantization plan and the images to calibrate on.

    The model's weights stay what they are: ``convert`` carries the plan out. Calibration images are
    training images, normalized as the app will do it. The error of a layer is measured on files
    that are converted for it: a few seconds for the first one, a tenth of a second for each layer.

    Args:
        model: The Model to quantize; one without an architecture will do.
        dataset: Where calibration images are drawn from, its train split alone; errors of layers
            are measured on its validation split.
        quantized: The same Model with the plan and ``calibration.npz``.
        report: ``quantization.json``: the plan, the rows drawn, their range, images by class.
            ``sensitivity.json``, where it was measured: for every layer how far the answers are
            from the float model's when that layer alone is quantized, and what ``auto`` took.
        plan: What convert is to do.
        calibration: What it calibrates on.
        sensitivity: What is measured of the error of each layer.
        threads: Threads of TensorFlow, count.
        seed: Chooses the images.

    Raises:
        UserError: Parameters that make no sense together, a model that is quantized already, a
            dataset of another image size, a layer that the model does not have, or a drop that no
            choice of layers keeps to.

    References:
        arXiv:1712.05877 (integer-arithmetic-only inference), arXiv:2106.08295 (a white paper),
        arXiv:1911.09723 (sparse inference).
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
        calibration=calibration,
        sensitivity=sensitivity,
        threads=threads,
        seed=seed,
    )
