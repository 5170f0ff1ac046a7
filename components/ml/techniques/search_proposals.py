"""Proposals: Optuna's sampler says which architecture to try next.

References:
    Akiba et al., Optuna, arXiv:1907.10902. Ozaki et al., Multiobjective Tree-structured Parzen
    Estimator (2022).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import optuna

from components.contract.types import Task
from components.ml.settings import Network
from components.ml.techniques.search_ranking import Objectives
from components.ml.techniques.search_settings import NAMES, SearchSpace


class Proposals:
    """What is tried next, from what came of the ones before.

    Args:
        space: What architectures are made of.
        task: verification or classification.
        shorter_side: Pixels of the images.
        candidates: How many will be trained; a third of them is drawn without looking back.
        seed: Of the sampler.
    """

    def __init__(
        self, space: SearchSpace, task: Task, shorter_side: int, candidates: int, seed: int
    ) -> None:
        self._space, self._task, self._shorter = space, task, shorter_side
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=max(2, candidates // 3), multivariate=False
        )
        self._study = optuna.create_study(
            directions=["minimize", "minimize", "minimize"], sampler=sampler
        )

    def ask(self) -> tuple[Any, Network, int | None]:
        """Return the next one: its trial, its settings, and the numbers of its embedding."""
        trial, space = self._study.ask(), self._space
        backbone = self._chosen(trial, "backbone", space.listed("backbone"))
        settings = {
            key: self._chosen(trial, key, values)
            for key, values in space.choices(str(backbone), self._shorter).items()
        }
        if "widths" in settings:
            settings["widths"] = list(settings["widths"])
            blocks = len(settings["widths"])
            if behind := space.residuals_behind(blocks):
                # What a number of them means depends on how many blocks there are.
                chosen = self._chosen(trial, f"residuals of {blocks} blocks", behind)
                settings["residuals"] = list(chosen)
        if self._task == "classification":
            return trial, Network(backbone=backbone, **settings), None
        embedding = self._chosen(trial, "embedding", space.listed("embedding"))
        network = Network(backbone=backbone, embedding_norm=space.embedding_norm, **settings)
        return trial, network, int(embedding)

    def tell(self, trial: Any, objectives: Objectives, over: Mapping[str, float]) -> None:
        """Say what came of a proposal.

        Args:
            trial: Its trial.
            objectives: To be made small; of one outside the budgets the first is never looked at.
            over: By budget by which share it is above it, 0 or less within.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            for name, share in over.items():
                trial.set_constraint(name, share)
            self._study.tell(trial, list(objectives))

    @staticmethod
    def _chosen(trial: Any, key: str, values: tuple[object, ...]) -> Any:
        if len(values) == 1:
            return values[0]
        if key in NAMES:  # of all others a neighbour is alike, which the sampler is told
            return trial.suggest_categorical(key, values)
        return values[trial.suggest_int(key, 0, len(values) - 1)]
