"""Trial: files of one model with other layers in float, held against the float one on images.

Shapes: n images, h rows, w columns, c channels, d numbers of the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from components.artifacts.model import QuantizationPlan
from components.contract.errors import UserError
from components.contract.types import Task, Unit
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.layers import LiteLayer, layers_of, outputs_of
from components.ml.lite.writing import in_integers
from components.statistics.metrics import METRICS, PRIMARY, sample_of

DIGITS = 6
"""Significant digits of what is reported."""


@dataclass(frozen=True)
class Error:
    """How far a file is from the float one.

    Attributes:
        rmse: Root of the mean squared difference, as a share of the outputs' standard deviation.
        cosine_mean: Of the two outputs for one image, mean over the images.
        cosine_min: The lowest of them.
        drop: What the metric lost; negative is better.
    """

    rmse: float
    cosine_mean: float
    cosine_min: float
    drop: float


@dataclass(frozen=True, eq=False)
class Trial:
    """What files are tried on.

    Attributes:
        calibrated: The float file with the ranges of its tensors.
        plan: Scheme and edges. Files are tried with float edges: integer ones change nothing but
            by which half of a level a pixel is rounded.
        images_nhwc: Normalized images.
        labels_n: Their classes or identities.
        task: What is measured.
        resample: See ``sample_of``.
        threads: Of the runtime.
    """

    calibrated: bytes
    plan: QuantizationPlan
    images_nhwc: np.ndarray
    labels_n: np.ndarray
    task: Task
    resample: Unit
    threads: int

    @cached_property
    def layers(self) -> tuple[LiteLayer, ...]:
        """All layers of the float file."""
        return layers_of(LiteFile.parse(self.calibrated))

    @cached_property
    def expected_nd(self) -> np.ndarray:
        """What the float file answers."""
        return _answers(self.calibrated, self.images_nhwc, self.threads)

    def metric(self, outputs_nd: np.ndarray) -> float:
        """Return the leading metric of the task."""
        sample = sample_of(self.task, outputs_nd, self.labels_n, resample=self.resample)
        whole = np.ones((1, sample.units), np.int32)
        return float(sample.measure(whole)[PRIMARY[self.task]][0])

    def file(self, kept: Sequence[LiteLayer]) -> bytes:
        """Return the file with float edges in which these layers compute in float."""
        edges = replace(self.plan, input_type="float32", output_type="float32", exact_pixels=False)
        return in_integers(self.calibrated, edges, outputs_of(kept))

    def error(self, content: bytes) -> Error:
        """Return how far a file is from the float one.

        Raises:
            UserError: It answers with something that is not finite.
        """
        found_nd, expected_nd = (
            _answers(content, self.images_nhwc, self.threads).astype(np.float64),
            self.expected_nd.astype(np.float64),
        )
        if not np.isfinite(found_nd).all():
            raise UserError(
                f"quantize: a file of scheme {self.plan.scheme} answers with values that are not "
                "finite",
                "take another scheme for this variant",
            )
        lengths_n = np.linalg.norm(found_nd, axis=1) * np.linalg.norm(expected_nd, axis=1)
        cosines_n = (found_nd * expected_nd).sum(axis=1) / np.maximum(lengths_n, 1e-30)
        spread = max(float(expected_nd.std()), 1e-30)
        values = (
            float(np.sqrt(np.mean((found_nd - expected_nd) ** 2))) / spread,
            float(cosines_n.mean()),
            float(cosines_n.min()),
            self.metric(expected_nd) - self.metric(found_nd),
        )
        assert METRICS[PRIMARY[self.task]].higher_is_better, "a drop is a loss"
        return Error(*(float(f"{value:.{DIGITS}g}") for value in values))


def _answers(content: bytes, images_nhwc: np.ndarray, threads: int) -> np.ndarray:
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    found = []
    for image_hwc in images_nhwc:
        interpreter.set_tensor(source, image_hwc[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(target)[0])
    return np.stack(found)
