"""What an evaluation costs where there are very many classes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.table import Row

CLASSES, IMAGES, SIDE = 11_000, 22_000, 8


def bench_classes(scratch: Path) -> list[Row]:
    """A classifier of one layer, and two images of each class, with all resamples."""
    from components.artifacts.dataset import write_dataset
    from components.statistics.resampling import Resampling
    from tests.components.flat import evaluate
    from tests.data.tiny_lite import write_lite

    random = np.random.default_rng(0)
    names = tuple(f"species {n:05d}" for n in range(CLASSES))
    images = random.integers(0, 256, (IMAGES, SIDE, SIDE, 1), dtype=np.uint8)
    labels = np.arange(IMAGES) % CLASSES
    data = write_dataset(
        scratch / "data", {"selection": (images, labels)}, task="classification", classes=names
    )
    weights = random.normal(size=(CLASSES, SIDE * SIDE))
    lite = write_lite(scratch / "lite", weights, (SIDE, SIDE, 1), classes=names)
    began = time.perf_counter()
    evaluate(
        lite, data.path, None, scratch / "report", scratch / "metrics", scratch / "curve",
        resamples=Resampling().resamples,
    )  # fmt: skip
    spent = time.perf_counter() - began
    assert "accuracy" in json.loads((scratch / "metrics").read_bytes())
    return [
        Row("evaluate of 22,000 images of 11,000 classes", spent, "s", "<= 60"),
        Row(
            "... its confusion matrix as metadata",
            (scratch / "curve").stat().st_size / 1e3,
            "kB",
            "<= 1000",
        ),
    ]
