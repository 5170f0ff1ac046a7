"""What the defaults of ``augment`` rest on: short and long trainings with and without changed images."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.table import Row

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Trained:
    """One data set and the lengths of training that are tried on it.

    Attributes:
        name: In the table.
        data: As a configuration gives it.
        task: classification or verification.
        epochs: Lengths, each a training of its own.
        ingest: Parameters of ``ingest``.
    """

    name: str
    data: str
    task: str
    epochs: tuple[int, ...]
    ingest: dict[str, object]


def bench_schedules(scratch: Path) -> list[Row]:
    """``conv`` at alpha 0.5 on labels, without and with light augmentation; three seeds each.

    Measured on the selection split, which no training looks at. The larger data sets are read from
    ``SLIMLINE_SHARED``; without it digits stand alone.
    """
    return [
        Row(f"{of.name}, {epochs} epochs, augment: {augment}", value, of.metric, "")
        for of in _prepared(scratch)
        for epochs in of.trained.epochs
        for augment in ("none", "light")
        for value in (statistics.mean(of.score(scratch, epochs, augment, seed) for seed in SEEDS),)
    ]


@dataclass(frozen=True)
class _Prepared:
    trained: Trained
    dataset: Path

    @property
    def name(self) -> str:
        return self.trained.name

    @property
    def metric(self) -> str:
        return "AUC" if self.trained.task == "verification" else "accuracy"

    def score(self, scratch: Path, epochs: int, augment: str, seed: int) -> float:
        """Train once and return the metric on the selection split."""
        from components.artifacts.dataset import Dataset
        from components.artifacts.model import ModelInfo
        from components.ml.training.folder_outputs import outputs_of_folder
        from components.statistics.metrics import PRIMARY, sample_of
        from tests.components.flat import flat

        made = scratch / f"{self.name}-{epochs}-{augment}-{seed}"
        flat("train")(
            self.dataset, None, made / "model", made / "report",
            backbone="conv", alpha=0.5, epochs=epochs, augment=augment, seed=seed,
        )  # fmt: skip
        data = Dataset.open(self.dataset)
        answers = outputs_of_folder(made / "model", ModelInfo.read(made / "model"))
        images, labels = np.asarray(data.images("selection")), data.labels("selection")
        sample = sample_of(data.info.task, answers(images), labels, resample="image")
        values = sample.measure(np.ones((1, sample.units), np.int32))
        return float(values[PRIMARY[data.info.task]][0])


def _prepared(scratch: Path) -> Iterator[_Prepared]:
    from pipelines.sources.snapshot import snapshot, stage
    from tests.components.flat import ingest

    for one in _data_sets():
        folder = scratch / one.name
        stage(snapshot(one.data), folder / "source")
        outputs = [folder / name for name in ("dataset", "sealed", "report")]
        ingest(folder / "source", *outputs, task=one.task, threads=2, **one.ingest)
        yield _Prepared(one, folder / "dataset")


def _data_sets() -> Iterator[Trained]:
    digits = {"height": 8, "width": 8, "channels": 1, "maximum": 16, "label_column": "last"}
    yield Trained(
        "digits", "package:sklearn/datasets/data/digits.csv.gz", "classification", (5, 10, 20, 60),
        {**digits, "split_by": "image", "validation": 0.1, "selection": 0.3, "sealed_fraction": 0.1},
    )  # fmt: skip
    shared = os.environ.get("SLIMLINE_SHARED")
    if shared is None:
        print("digits alone: SLIMLINE_SHARED is not set, so there are no faces")
        return
    yield Trained(
        "faces", f"{shared}/data/orl", "verification", (10, 30, 100),
        {"height": 56, "width": 46, "channels": 1, "split_by": "identity",
         "validation": 0.1, "selection": 0.3, "sealed_fraction": 0.1},
    )  # fmt: skip
