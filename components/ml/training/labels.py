"""Learning from the labels of a dataset: the objective, and the whole training.

``train`` has both, ``distill`` the objective beside its teacher and the whole as its control.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.ml.formats import model_folder, samples
from components.ml.networks.building import network_in_step
from components.ml.settings import Augmentation, LossSettings, Network, Optimization
from components.ml.training import loop
from components.ml.training.examples import Examples
from components.ml.training.objectives import Objective, Supervised, supervised
from components.ml.training.reporting import write_report
from components.ml.training.validation import Validation


def label_objective(
    info: ModelInfo, examples: Examples, settings: LossSettings, seed: int
) -> Supervised:
    """Return the objective of a network that learns from the labels of its examples.

    Args:
        info: Of the network: its task, and the numbers of its embedding.
        examples: Their labels.
        settings: Which loss, and its parameters.
        seed: Where the directions of the identities start.

    Raises:
        UserError: A loss of the other task.
    """
    return supervised(
        info.task,
        settings,
        classes=examples.classes,
        embedding=info.output.size,
        seed=seed,
        labels_n=examples.labels_n,
    )


def fit_and_write(
    model: Any,
    info: ModelInfo,
    data: Dataset,
    examples: Examples,
    objective: Objective,
    path: Path,
    report: Path,
    *,
    network: Network,
    loss: LossSettings,
    chosen_loss: str,
    augmentation: Augmentation,
    optimization: Optimization,
    seed: int,
    settings: Mapping[str, object],
    notes: Mapping[str, object],
) -> None:
    """Train a network on labels and write it as a Model.

    Args:
        model: The untrained network.
        info: Of it.
        data: Its validation split is measured.
        examples: Its train split.
        objective: Learning from labels, and perhaps more.
        path: Folder of the Model to write.
        report: Folder of ``training.json``.
        network: What the model is built of.
        loss: What is learned from the labels.
        chosen_loss: The loss where ``loss`` leaves it open.
        augmentation: How images are changed.
        optimization: How it is trained.
        seed: Of everything random.
        settings: More parameters for the report.
        notes: What the Model's history and the report say besides.
    """
    validation = Validation(data, info.task)
    history = loop.fit(
        model, info, examples, objective, validation, optimization, augmentation, seed
    )
    step = {
        "component": "train",
        **network_in_step(network),
        "loss": chosen_loss,
        "epochs": history.kept.number,
        **notes,
    }
    model_folder.save(path, model, info.after(step, curve=history.curve(augmentation.augment)))
    samples.draw(path, data, seed)
    parameters = {
        **asdict(network),
        **asdict(loss),
        **settings,
        **asdict(augmentation),
        **asdict(optimization),
        "seed": seed,
    }
    write_report(
        report, "train", history, examples, optimization, {"parameters": parameters, **notes}
    )
