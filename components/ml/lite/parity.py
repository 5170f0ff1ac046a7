"""Parity: whether a converted file answers what the Keras model answers.

Shapes: n images, h rows, w columns, c channels, d numbers of the output.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from components.artifacts.measurement import Crash
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.devices.isolated import IsolatedOutputs, answers_of
from components.ml.formats import model_folder, samples

IMAGES = 32
_TOLERANCE = 1e-3
"""Largest difference of a float32 file from Keras, as a share of the largest output."""
_TINY = 1e-30
"""Stands in for 0 as a divisor: an untrained network may answer with very small numbers."""


@dataclass(frozen=True)
class Parity:
    """What was measured on one file.

    Attributes:
        differences: How many images, drawn from where, and the differences, or the crash.
        delegate: How the runtime divided the file; None after a crash.
    """

    differences: dict[str, object]
    delegate: dict[str, object] | None


def measure(
    path: Path, lite: Path, info: ModelInfo, calibration_nhwc: np.ndarray | None, *, seed: int
) -> Parity:
    """Run the file on its runtime and the Model in TensorFlow on the same images.

    They are the Model's own samples; a Model without any is compared on the images it is calibrated
    on, and one without those on synthetic ones.

    The file runs in a process of its own on one thread; if that dies, the report says so, and
    whether the variant is of use is for later steps to judge.

    Args:
        path: The Model.
        lite: The LiteModel.
        info: The Model's info.
        calibration_nhwc: The images that it is calibrated on, or None.
        seed: Of the synthetic images.

    Returns:
        What differs and how the file was divided.

    Raises:
        UserError: The Model or the file answers with something that is not finite, or something
            else ended the process, twice.
        AssertionError: A float32 file computes something else than the Model.
    """
    images_nhwc, drawn_from = images_of(path, info, calibration_nhwc, seed)
    of: dict[str, object] = {"images": len(images_nhwc), "drawn_from": drawn_from}
    answers = answers_of(lite, images_nhwc, threads=1)
    if isinstance(answers, Crash) and answers.outside:
        raise UserError(
            "convert: the process that compares the file with the Keras model was ended twice "
            f"from outside: {answers.cause}",
            "free memory, see that nothing else ends this machine's processes, and run again",
        )
    if not isinstance(answers, IsolatedOutputs):
        return Parity({**of, "crashed": asdict(answers)}, None)
    expected_nd = model_folder.inference(path)(images_nhwc)
    refuse_infinite(expected_nd, answers.outputs_nd, info.scheme)
    found = differences(expected_nd, answers.outputs_nd)
    if info.scheme == "float32":
        limit = _TOLERANCE * max(float(np.abs(expected_nd).max()), _TINY)
        assert found["max_abs"] <= limit, f"float32 file differs by {found['max_abs']} > {limit}"
    return Parity({**of, **found}, asdict(answers.delegation))


def images_of(
    path: Path, info: ModelInfo, calibration_nhwc: np.ndarray | None, seed: int
) -> tuple[np.ndarray, str]:
    """Return the normalized images to compare on, and in a word where they are from.

    Args:
        path: The Model.
        info: Its info.
        calibration_nhwc: The images that it is calibrated on, or None.
        seed: Of the synthetic images.
    """
    pixels_nhwc = samples.read(path)
    if pixels_nhwc is not None:
        return model_folder.normalize(pixels_nhwc, info), "samples"
    if calibration_nhwc is not None:
        return calibration_nhwc[:IMAGES], "calibration"
    return synthetic_images(info, seed), "synthetic"


def refuse_infinite(expected_nd: np.ndarray, answers_nd: np.ndarray, scheme: str) -> None:
    """Ask that all numbers of the Model (first) and of the file are finite.

    Raises:
        UserError: Some are not.
    """
    if not np.isfinite(expected_nd).all():
        raise UserError(
            "convert: the Keras model answers with values that are not finite",
            "train it again with a lower learning_rate, or import one that works",
        )
    if not np.isfinite(answers_nd).all():
        raise UserError(
            f"convert: the {scheme} file answers with values that are not finite: the model's "
            "numbers leave the range of that type",
            "take another scheme for this variant",
        )


def differences(expected_nd: np.ndarray, answers_nd: np.ndarray) -> dict[str, float]:
    """Return how far answers are from what was expected.

    Returns:
        ``max_abs`` over all numbers, ``share`` of it in the largest one expected, and the lowest
        and the mean ``cosine`` over the images; six digits each.
    """
    expected_nd, answers_nd = expected_nd.astype(np.float64), answers_nd.astype(np.float64)
    gap = float(np.abs(expected_nd - answers_nd).max())
    lengths_n = np.linalg.norm(expected_nd, axis=1) * np.linalg.norm(answers_nd, axis=1)
    cosines_n = (expected_nd * answers_nd).sum(axis=1) / np.maximum(lengths_n, _TINY)
    found = {
        "max_abs": gap,
        "share": gap / max(float(np.abs(expected_nd).max()), _TINY),
        "cosine_min": float(cosines_n.min()),
        "cosine_mean": float(cosines_n.mean()),
    }
    return {name: float(f"{value:.6g}") for name, value in found.items()}


def synthetic_images(info: ModelInfo, seed: int) -> np.ndarray:
    """Return normalized images ``nhwc`` for a Model that brings none.

    Half are noise, half are large soft patches of light, closer to what a photograph looks like to
    the first layers.
    """
    height, width, channels = info.image_shape
    random = np.random.default_rng(seed)
    half = IMAGES // 2
    noise_nhwc = random.integers(0, 256, (half, height, width, channels))
    coarse_nhwc = random.integers(0, 256, (half, -(-height // 8), -(-width // 8), channels))
    patches_nhwc = coarse_nhwc.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    pixels_nhwc = np.concatenate([noise_nhwc, patches_nhwc]).astype(np.uint8)
    return model_folder.normalize(pixels_nhwc, info)
