"""Supervised training: from a dataset to a Model, a network trained on labels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from components.artifacts.dataset import Dataset
from components.ml.formats import model_folder, pretrained
from components.ml.networks.building import build, info_of, network_in_step
from components.ml.settings import Augmentation, LossSettings, Network, Optimization
from components.ml.techniques.fisher import FisherObjective, discriminants_of
from components.ml.techniques.fisher_settings import FisherSettings
from components.ml.training import loop
from components.ml.training.examples import examples_of
from components.ml.training.objectives import Objective, supervised
from components.ml.training.reporting import write_report
from components.ml.training.validation import Validation


def fit_and_save(
    dataset: Path,
    path: Path,
    report: Path,
    *,
    weights: Path | None,
    network: Network,
    embedding: int,
    loss: LossSettings,
    fisher: FisherSettings,
    augmentation: Augmentation,
    optimization: Optimization,
    mean: float,
    scale: float,
    seed: int,
) -> None:
    """Train a network on labels and write it; see ``components.train``."""
    data = Dataset.open(dataset)
    examples = examples_of(data, turns=augmentation.turns)
    info = info_of(data, embedding, mean, scale)
    model = build(network, info)
    notes = {}
    if weights is not None:
        notes = {"weights": pretrained.load(model, weights, mean=mean, scale=scale)}
    labels = supervised(
        info.task,
        loss,
        classes=examples.classes,
        embedding=info.output.size,
        seed=seed,
        labels_n=examples.labels_n,
    )
    validation = Validation(data, info.task)
    objective: Objective = labels
    if fisher.fisher_weight and examples.compared:
        found = discriminants_of(examples, augmentation, seed)
        objective = FisherObjective(labels, found, fisher)
    history = loop.fit(
        model, info, examples, objective, validation, optimization, augmentation, seed
    )
    step = {
        "component": "train",
        **network_in_step(network),
        "loss": labels.loss,
        "epochs": history.kept.number,
        **notes,
    }
    model_folder.save(path, model, info.after(step))
    parameters = {
        **asdict(network),
        **asdict(loss),
        **asdict(fisher),
        **asdict(augmentation),
        **asdict(optimization),
        "seed": seed,
    }
    write_report(
        report, "train", history, examples, optimization, {"parameters": parameters, **notes}
    )
