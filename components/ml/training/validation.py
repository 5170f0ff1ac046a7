"""How good a network is while it is still being trained: one number on the validation split.

Shapes: n images, d numbers of an output.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from components.artifacts.dataset import Dataset
from components.contract.errors import UserError
from components.contract.types import Task
from components.ml.training.outputs import Outputs
from components.statistics.metrics import PRIMARY, sample_of

SPLIT = "validation"
_MOST = 600
"""Images looked at: all pairs of them are compared after every epoch."""


class Measure(Protocol):
    """What training asks how good a network is."""

    @property
    def metric(self) -> str:
        """Name of what is measured; higher is better."""
        ...

    def measure(self, outputs: Outputs) -> float:
        """Return the metric of a network, 0 to 1."""
        ...


class Validation:
    """The validation split, ready to be measured again and again.

    Args:
        dataset: Where it is; ``SPLIT`` alone is read.
        task: What to measure: AUC over all pairs, or accuracy.

    Attributes:
        metric: Name of what is measured; higher is better.
        guessed: What a network that knows nothing reaches, 0 to 1: half of the pairs, or the
            largest class.

    Raises:
        UserError: Verification, and the split has no pair of both kinds.
    """

    def __init__(self, dataset: Dataset, task: Task) -> None:
        self.metric = PRIMARY[task]
        self._task: Task = task
        labels_n = np.asarray(dataset.labels(SPLIT))
        self._rows_n = rows_n = _rows(labels_n, task)
        self._labels_n = labels_n[rows_n]
        self._images_nhwc = np.asarray(dataset.images(SPLIT)[rows_n])
        counts = np.unique(self._labels_n, return_counts=True)[1]
        if task == "verification" and (len(counts) < 2 or counts.max() < 2):
            raise UserError(
                f"the validation split has {len(self._labels_n)} images of {len(counts)} "
                "identities: no two of the same, or no two different ones to compare",
                "add images of each identity, or raise validation under split:",
            )
        self.guessed = 0.5 if task == "verification" else float(counts.max() / counts.sum())

    def measure(self, outputs: Outputs) -> float:
        """Return the metric of a network, 0 to 1; 0 when it answers with something not finite."""
        return self._measured(outputs(self._images_nhwc))

    def measure_answers(self, outputs_nd: np.ndarray) -> float:
        """Return the metric of answers to all images of the split, 0 to 1."""
        return self._measured(outputs_nd[self._rows_n])

    def _measured(self, outputs_nd: np.ndarray) -> float:
        if not np.isfinite(outputs_nd).all():
            return 0.0
        sample = sample_of(self._task, outputs_nd, self._labels_n, resample="image")
        return float(sample.measure(np.ones((1, sample.units), np.int32))[self.metric][0])


def _rows(labels_n: np.ndarray, task: Task) -> np.ndarray:
    """Choose at most ``_MOST`` images; for verification whole identities, so that pairs remain."""
    if len(labels_n) <= _MOST:
        return np.arange(len(labels_n))
    random = np.random.default_rng(0)
    if task == "classification":
        return np.sort(random.permutation(len(labels_n))[:_MOST])
    chosen: list[int] = []
    for label in random.permutation(np.unique(labels_n)):
        members = np.flatnonzero(labels_n == label)
        room = _MOST - len(chosen)
        chosen.extend(members[: min(room, _MOST // 10)])  # ten identities at least
    return np.sort(np.array(chosen))
