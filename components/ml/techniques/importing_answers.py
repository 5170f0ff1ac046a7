"""Importing answers: a teacher of any framework that is known by what it answered.

Shapes: n images of a split, d numbers of an answer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from components.artifacts import answers
from components.artifacts.answers import GivenAnswers
from components.artifacts.dataset import OPEN_SPLITS, Dataset
from components.contract.digests import canonical_json
from components.ml.techniques import fitting
from components.ml.training.validation import SPLIT, Validation

_MIDDLE = 127.5
"""Mean and scale of the pixels: students of these answers are fed -1 to 1."""


def import_answers(source: Path, dataset: Path, path: Path, report: Path) -> None:
    """Check the answers, fit them to the dataset and write them; see the component.

    Args:
        source: Staged Source of the file.
        dataset: The open Dataset.
        path: Folder of the Model to write.
        report: Folder of ``import.json``.

    Raises:
        UserError: See the component.
    """
    given, data = GivenAnswers.read(source), Dataset.open(dataset)
    given.check(data)
    outputs = {split: given.of(data, split) for split in OPEN_SPLITS}
    size = (given.outputs_nd.shape[1],)
    info = fitting.fed(data, size, _MIDDLE, _MIDDLE)
    looked_at = outputs[SPLIT]
    fitted = fitting.fitted(
        data, given.name, size, info, None, lambda images_nhwc: looked_at[: len(images_nhwc)]
    )
    if fitted.binary:
        outputs = {split: np.hstack([1 - one_n1, one_n1]) for split, one_n1 in outputs.items()}
    info = replace(
        fitted.info,
        parameters=0,
        trainable=False,
        source=f"answers of {given.name} (sha256 {given.sha256[:12]}), without a network",
    )
    answers.write(path, info, outputs)
    validation = Validation(data, info.task)
    report.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        "component": "import_answers",
        "imported": {"name": given.name, "sha256": given.sha256, "form": "answers"},
        "answers": len(given.rows),
        "activation": getattr(info.output, "activation", None),
        "metric": validation.metric,
        "validation": validation.measure_answers(outputs[SPLIT]),
    }
    (report / fitting.REPORT).write_bytes(canonical_json(content))
