"""The curve beside the metrics: what Kubeflow Pipelines draws of an evaluation.

It goes whole into the metadata of an artifact, of which a server takes 4 MB, so its size does not
grow with the square of the classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from components.statistics.metrics import Predictions
from components.statistics.verification import Pairs

CURVE_POINTS = 200
"""Operating points in the curve: as many as the page of Kubeflow Pipelines draws quickly."""
MOST_CLASSES = 50
"""Classes of a confusion matrix that a person can still read."""
OTHERS = "(all other classes)"


def curve_of(sample: Pairs | Predictions | None, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the ROC or the confusion matrix in the shape of KFP's ClassificationMetrics.

    Of more than ``MOST_CLASSES`` classes the matrix has those with the most errors, and one row
    and one column for all others together: it still counts every image. ``labels.npy`` and
    ``outputs.npy`` of the report hold all that the whole one would.

    Args:
        sample: What was measured; None after a crash.
        classes: Names, in the order of the labels.
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
    if len(classes) > MOST_CLASSES:
        sample, classes = _most_confused(sample, classes)
    return {
        "confusionMatrix": {
            "annotationSpecs": [{"displayName": name} for name in classes],
            "rows": [{"row": row} for row in sample.confusion().tolist()],
        }
    }


def _most_confused(
    sample: Predictions, classes: tuple[str, ...]
) -> tuple[Predictions, tuple[str, ...]]:
    """Return the predictions with all classes as one but those with the most errors."""
    wrong = sample.labels != sample.predicted
    either = np.concatenate([sample.labels[wrong], sample.predicted[wrong]])
    errors = np.bincount(either, minlength=len(classes))
    kept = np.sort(np.argsort(-errors, kind="stable")[:MOST_CLASSES])
    place = np.full(len(classes), MOST_CLASSES)
    place[kept] = np.arange(MOST_CLASSES)
    fewer = Predictions(
        labels=place[sample.labels], predicted=place[sample.predicted], classes=MOST_CLASSES + 1
    )
    names = [classes[int(index)] for index in kept]
    return fewer, (*names, OTHERS)
