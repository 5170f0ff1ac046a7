"""The report of ``evaluate``: what a model answered on a split, and what that is worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from components.artifacts.measurement import Crash
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.interface import Task, Unit
from components.statistics.bootstrap import Interval
from components.statistics.metrics import Predictions, sample_of
from components.statistics.verification import Pairs

FILE = "evaluation.json"
OUTPUTS = "outputs.npy"
LABELS = "labels.npy"
HISTOGRAM = "histogram.json"
SCHEMA = 1


@dataclass(frozen=True)
class Baseline:
    """What no learning reaches on the same split: a weak teacher makes every drop look small.

    Attributes:
        name: "raw-pixel cosine" or "majority class".
        metrics: As of the model.
        lead: By how much the model is better, paired: an interval above 0 is a model that learned.
            Empty after a crash.
        threshold: Verification: where its accuracy is read.
        majority: Classification: the class that it always gives.
    """

    name: str
    metrics: Mapping[str, Interval]
    lead: Mapping[str, Interval]
    threshold: float | None = None
    majority: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """The content of ``evaluation.json``.

    Attributes:
        task: What the labels are for.
        split: What it was evaluated on.
        description: One sentence: what the split consists of.
        splits: Images of every split of the dataset, by name.
        n_images: Images of the split.
        n_identities: Identities, or classes, that occur in it.
        classes: Classification: what the columns of ``outputs.npy`` are and the labels index;
            empty in verification.
        resample: What the intervals were resampled over.
        primary: The metric that leads where nobody chose one.
        metrics: By name; empty after a crash.
        threshold: Verification: accept a pair at this cosine or above; chosen on validation, None
            where there is no such split. None in classification.
        baseline: The trivial one on the same split.
        confidence: Of all intervals, 0 to 1.
        crashed: How the model's process ended, or None when it answered.
    """

    task: Task
    split: str
    description: str
    splits: Mapping[str, int]
    n_images: int
    n_identities: int
    classes: tuple[str, ...]
    resample: Unit
    primary: str
    metrics: Mapping[str, Interval]
    threshold: float | None
    baseline: Baseline
    confidence: float
    crashed: Crash | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {"schema": SCHEMA, "opened": self.split, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Evaluation:
        """Read what ``to_json`` gave."""
        crashed = content["crashed"]
        baseline: dict[str, Any] = {**content["baseline"]}
        baseline["metrics"] = _intervals(baseline["metrics"])
        baseline["lead"] = _intervals(baseline["lead"])
        changed: dict[str, Any] = {
            **content,
            "classes": tuple(content["classes"]),
            "metrics": _intervals(content["metrics"]),
            "baseline": Baseline(**baseline),
            "crashed": None if crashed is None else Crash(**crashed),
        }
        del changed["schema"], changed["opened"]
        return cls(**changed)

    def write(self, path: Path) -> None:
        """Write ``evaluation.json`` into the folder ``path``."""
        path.mkdir(parents=True, exist_ok=True)
        (path / FILE).write_bytes(canonical_json(self.to_json()))

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """Read ``evaluation.json`` from the folder ``path``.

        Raises:
            UserError: There is none, or another version of slimline wrote it.
        """
        file = path / FILE
        if not file.is_file():
            raise UserError(
                f"{path} is no evaluation: it holds no {FILE}", "give the report of evaluate"
            )
        content = cast("dict[str, Any]", json.loads(file.read_bytes()))
        if content.get("schema") != SCHEMA:
            raise UserError(
                f"{file} was written by another version of slimline", "run evaluate again"
            )
        return cls.from_json(content)


def sample_in(path: Path) -> Pairs | Predictions:
    """Return the sample that an evaluation measured, to resample it together with others.

    Args:
        path: A report of ``evaluate`` whose model answered.

    Raises:
        UserError: See ``Evaluation.read``.
        FileNotFoundError: The model crashed and left no outputs.
    """
    evaluation = Evaluation.read(path)
    outputs: NDArray[np.float32] = np.load(path / OUTPUTS)
    labels: NDArray[np.int32] = np.load(path / LABELS)
    return sample_of(
        evaluation.task,
        outputs,
        labels,
        resample=evaluation.resample,
        threshold=evaluation.threshold,
    )


def _intervals(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Interval]:
    return {name: Interval.from_json(value) for name, value in metrics.items()}
