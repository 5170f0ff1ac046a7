"""From a dataset to a trained Model: what train and distill have in common."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ImageInput, ModelInfo, Scores
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import model_folder, pretrained
from components.ml.networks import backbones
from components.ml.settings import Guidance, Recipe, Target, Tower
from components.ml.training import loop
from components.ml.training.discriminants import guide_of
from components.ml.training.examples import Examples
from components.ml.training.loop import History
from components.ml.training.objectives import supervised
from components.ml.training.validation import Validation

REPORT = "training.json"
_SCHEMA = 1


def teach(
    dataset: Path,
    path: Path,
    report: Path,
    *,
    weights: Path | None,
    tower: Tower,
    embedding: int,
    target: Target,
    guidance: Guidance,
    mean: float,
    scale: float,
    recipe: Recipe,
) -> None:
    """Train a tower on labels and write it; see ``components.train``."""
    data = Dataset.open(dataset)
    examples = examples_of(data)
    info = info_of(data, embedding, mean, scale)
    model = build(tower, info)
    notes = {} if weights is None else {"weights": pretrained.load(model, weights)}
    objective = supervised(
        info.task,
        target,
        classes=examples.classes,
        embedding=info.output.size,
        seed=recipe.seed,
    )
    validation = Validation(data, info.task)
    guide = guide_of(examples, guidance, recipe)
    history = loop.fit(model, info, examples, objective, validation, recipe, guide)
    step = {
        "component": "train",
        "backbone": tower.backbone,
        "alpha": tower.alpha,
        "loss": objective.loss,
        "epochs": history.kept.number,
        **notes,
    }
    model_folder.save(path, model, info.after(step))
    parameters = {**asdict(tower), **asdict(target), **asdict(guidance), **asdict(recipe)}
    write_report(report, "train", history, examples, recipe, {"parameters": parameters, **notes})


def examples_of(data: Dataset) -> Examples:
    """Return the train split as examples.

    Raises:
        UserError: One identity or class only, or no identity with a second image.
    """
    task, split = data.info.task, "train"
    labels_n = np.asarray(data.labels(split))
    present, dense_n, counts = np.unique(labels_n, return_inverse=True, return_counts=True)
    unit = "identity" if task == "verification" else "class"
    if len(present) < 2:
        raise UserError(
            f"all {len(labels_n)} training images are of one {unit}, "
            f"{data.info.classes[present[0]]!r}: there is nothing to tell apart",
            f"give the images of a second {unit}",
        )
    if task == "verification" and counts.max() < 2:
        raise UserError(
            "no identity has a second training image, so nothing says what stays the same",
            "give at least two images of each identity",
        )
    compared = task == "verification"
    # A tower learns from the identities that are there; a classifier answers for all classes.
    return Examples(
        images_nhwc=data.images(split),
        labels_n=dense_n if compared else labels_n,
        classes=len(present) if compared else len(data.info.classes),
        compared=compared,
    )


def info_of(data: Dataset, embedding: int, mean: float, scale: float) -> ModelInfo:
    """Return the card of a network for this dataset; its parameters are counted when saved."""
    info = data.info
    verification = info.task == "verification"
    return ModelInfo(
        task=info.task,
        input=ImageInput(info.height, info.width, info.channels, mean, scale),
        output=Embedding(embedding) if verification else Scores(info.classes),
        parameters=0,
    )


def build(tower: Tower, info: ModelInfo) -> Any:
    """Build the untrained tower that a info describes."""
    return backbones.tower(
        tower.backbone,
        info.image_shape,
        info.output.kind,
        info.output.size,
        alpha=tower.alpha,
        dropout=tower.dropout,
        batch_norm_momentum=tower.batch_norm_momentum,
    )


def write_report(
    report: Path,
    component: str,
    history: History,
    examples: Examples,
    recipe: Recipe,
    more: dict[str, Any],
) -> None:
    """Write ``training.json``: what was learned from, and what every epoch came to."""
    report.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": _SCHEMA,
        "component": component,
        "images": examples.images,
        "classes": examples.classes,
        "batch": examples.batch(recipe),
        "steps_per_epoch": examples.steps(recipe),
        **history.to_json(),
        **more,
    }
    (report / REPORT).write_bytes(canonical_json(content))
