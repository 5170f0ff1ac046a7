"""Curves: the ROC, or the confusion matrix, in the shape of KFP's ClassificationMetrics.

The whole of it becomes metadata of an artifact, which has to stay small: of many classes it holds
those that are confused most, and a file of the report holds all of them.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from components.statistics.metrics import Predictions
from components.statistics.running_sums import Ints
from components.statistics.verification import Pairs

CURVE_POINTS = 200
"""Operating points in the curve: as many as the page of Kubeflow Pipelines draws quickly."""
MOST_CLASSES = 50
"""Rows of a confusion matrix that people, and that page, can still read."""


def curve_of(sample: Pairs | Predictions | None, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the curve of verification, or the confusion matrix of classification.

    Args:
        sample: What was measured; None after a crash.
        classes: Their names. Of more than ``MOST_CLASSES`` those of the most frequent confusions
            are there, and one more row and column for all the others together.
    """
    if sample is None:
        return {}
    if isinstance(sample, Pairs):
        roc = sample.roc().thinned(CURVE_POINTS)
        rows = zip(
            roc.thresholds.tolist(),
            roc.false_positive_rate.tolist(),
            roc.true_positive_rate.tolist(),
            strict=True,
        )
        names = ("confidenceThreshold", "falsePositiveRate", "recall")
        return {"confidenceMetrics": [dict(zip(names, row, strict=True)) for row in rows]}
    shown, matrix = list(classes), sample
    if len(classes) > MOST_CLASSES:
        kept = _most_confused(sample.confusions(), MOST_CLASSES - 1)
        shown = [classes[place] for place in kept]
        shown.append(f"(the other {len(classes) - len(kept):,} classes)")
        matrix = _merged(sample, kept)
    return {
        "confusionMatrix": {
            "annotationSpecs": [{"displayName": name} for name in shown],
            "rows": [{"row": row} for row in matrix.confusion().tolist()],
        }
    }


def _most_confused(confusions: Ints, count: int) -> list[int]:
    """Return the classes of the most frequent confusions, in the order of all classes."""
    places = dict.fromkeys(confusions[:, :2].ravel().tolist())
    return sorted(list(places)[:count])


def _merged(sample: Predictions, kept: list[int]) -> Predictions:
    """Return the answers with all classes but ``kept`` as one class behind them."""
    place = np.full(sample.classes, len(kept), np.int64)
    place[kept] = np.arange(len(kept))
    return Predictions(place[sample.predicted], place[sample.labels], len(kept) + 1)


def confusions_csv(sample: Predictions, classes: tuple[str, ...]) -> bytes:
    """Return the whole confusion matrix as CSV: true class, predicted class and how many images.

    Args:
        sample: What was measured.
        classes: Their names.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("true", "predicted", "images"))
    entries: list[list[int]] = sample.answers().tolist()
    for true, predicted, count in entries:
        writer.writerow((classes[true], classes[predicted], count))
    return text.getvalue().encode()
