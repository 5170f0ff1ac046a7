"""Supervised training: from a dataset to a Model, a network trained on labels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from components.artifacts.dataset import Dataset
from components.ml.formats import pretrained
from components.ml.networks.building import build, info_of
from components.ml.settings import Augmentation, LossSettings, Network, Optimization
from components.ml.techniques.fisher import FisherObjective, discriminants_of
from components.ml.techniques.fisher_settings import FisherSettings
from components.ml.training.examples import examples_of
from components.ml.training.labels import fit_and_write, label_objective
from components.ml.training.objectives import Objective


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
    examples = examples_of(data, turns=augmentation.turns, mirrors=augmentation.mirrors)
    info = info_of(data, embedding, mean, scale)
    augmentation = examples.settled(augmentation, info.task, optimization)
    model = build(network, info)
    notes: dict[str, object] = {}
    if weights is not None:
        notes = {"weights": pretrained.load(model, weights, mean=mean, scale=scale)}
    labels = label_objective(info, examples, loss, seed)
    objective: Objective = labels
    if fisher.fisher_weight and examples.compared:
        found = discriminants_of(examples, augmentation, seed)
        objective = FisherObjective(labels, found, fisher)
    fit_and_write(
        model,
        info,
        data,
        examples,
        objective,
        path,
        report,
        network=network,
        loss=loss,
        chosen_loss=labels.loss,
        augmentation=augmentation,
        optimization=optimization,
        seed=seed,
        settings=asdict(fisher),
        notes=notes,
    )
