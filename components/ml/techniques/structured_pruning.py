"""Structured pruning: whole channels, or whole residual blocks, until a target is met.

What is removed is removed from the architecture: files become smaller and faster whatever they are
converted to. The network is then trained to answer what it answered before.

Shapes: n images, u units of channels (see ``graphs/channels.py``).

References:
    Molchanov et al., arXiv:1611.06440 (remove, then train, in rounds).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.cost_model import CostModel
from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import model_folder, samples
from components.ml.graphs.costs import Costs, costs_of, value_for
from components.ml.graphs.flattening import flattened
from components.ml.runtime import tf_keras
from components.ml.settings import Augmentation, Optimization, TeacherViews, TrainingSchedule
from components.ml.techniques.block_removal import BlockRemoval
from components.ml.techniques.channel_removal import ChannelRemoval
from components.ml.techniques.channel_settings import StructureSettings
from components.ml.techniques.preservation import OutputPreservation
from components.ml.techniques.pruning_ruin import floor_of_pruned
from components.ml.techniques.weight_pruning import refuse_unfit
from components.ml.training import loop
from components.ml.training.augmentation import settled_for_answers
from components.ml.training.examples import Examples, examples_of
from components.ml.training.loop import History
from components.ml.training.outputs import outputs_of
from components.ml.training.restarts import RestartedTraining, fit_with_restarts
from components.ml.training.teacher import ask_teacher
from components.ml.training.validation import Validation

_IMAGES = 512
"""Images by which importance is judged, at most."""
_BATCH = 16

_MEMORIES, _SHORTEST = 10, 0.5
"""Times that statistics of batch norms are renewed in a training; their least momentum."""

_UNREACHED = {
    "channels": "the others are frozen, or the narrowest that multiple_of lets them be",
    "layers": "all else is no residual block whose ends have equal shapes",
}


@dataclass(frozen=True)
class _Training:
    """How the network is trained after each removal; see ``components.prune``."""

    examples: Examples
    validation: Validation
    objective: OutputPreservation
    optimization: Optimization

    @property
    def steps(self) -> int:
        """Count of a round."""
        return self.optimization.epochs * self.examples.steps(self.optimization)

    def of(
        self, network: Any, info: ModelInfo, cut: float, optimization: Optimization,
        augmentation: Augmentation, seed: int,
    ) -> RestartedTraining:  # fmt: skip
        """Train what is left of a network; ``cut`` is its validation metric before that."""

        def fit(how: Optimization, floor: float | None) -> History:
            return loop.fit(
                network, info, self.examples, self.objective, self.validation, how, augmentation,
                seed, floor=floor,
            )  # fmt: skip

        floor = floor_of_pruned(cut, self.validation)
        with _fast_statistics(network, self.steps):
            return fit_with_restarts(network, fit, optimization, cut, floor, never_worse=False)


def prune(
    path: Path, dataset: Path, costs: Path | None, pruned: Path, report: Path,
    *, method: str, structure: StructureSettings, teacher_views: TeacherViews,
    augmentation: Augmentation, schedule: TrainingSchedule, seed: int,
) -> None:  # fmt: skip
    """Prune a Model and write it; see ``components.prune``."""
    model, info = model_folder.load(path, "pruned")
    data = Dataset.open(dataset)
    refuse_unfit(info, data, path)
    model = flattened(model, info.image_shape)
    predicting = _cost_model(structure, costs)
    value = value_for(structure.target, predicting)
    kind = ChannelRemoval if method == "channels" else BlockRemoval
    removal, before = kind(model, structure, info, value), costs_of(model)
    goal = math.floor(value(before) * (1 - structure.remove))
    _refuse_too_much(removal, value(before), structure, path)
    answers = outputs_of(model, info)
    # Batches are drawn over all images: nothing is compared but before and after.
    examples = replace(
        examples_of(data, turns=augmentation.turns, mirrors=augmentation.mirrors), compared=False
    )
    training = _Training(
        examples=ask_teacher(examples, answers, info, teacher_views, augmentation, seed),
        validation=Validation(data, info.task),
        objective=OutputPreservation(info.output),
        optimization=Optimization(**asdict(schedule), weight_decay=0.0, warmup=0.0),
    )
    reference = training.validation.measure(answers)
    rounds: list[dict[str, object]] = []
    trainings: list[RestartedTraining] = []
    network, optimization = model, training.optimization
    for number in range(1, structure.rounds + 1):
        part = number / structure.rounds
        part_goal = math.floor(value(before) * (1 - part) + goal * part)
        network = removal.reduced(network, part_goal, _images(data, info, seed + number), seed)
        cut = training.validation.measure(outputs_of(network, info))
        trained = training.of(network, info, cut, optimization, augmentation, seed)
        optimization = trained.optimization  # a rate that ruined one round would ruin the next
        trainings.append(trained)
        rounds.append(
            {
                "costs": asdict(costs_of(network)),
                "validation_before_training": cut,
                **trained.to_json(),
                "history": trained.history.to_json(),
            }
        )
    after = costs_of(network)
    removed = 1 - value(after) / value(before)
    assert value(after) <= goal, f"{after} is more than {goal}"
    step = {
        "component": "prune",
        "method": method,
        "target": structure.target,
        "removed": round(removed, 4),
        "epochs": sum(trained.history.kept.number for trained in trainings),
    }
    whole = reduce(History.then, (trained.history for trained in trainings))
    curve = whole.curve(settled_for_answers(augmentation).augment, reference)
    if any(trained.ruined for trained in trainings):
        curve = replace(curve, lowered_to=optimization.learning_rate)
    model_folder.save(pruned, network, info.after(step, curve=curve, quantization=None))
    samples.pass_on(path, pruned)
    _write_report(
        report,
        {
            "method": method,
            **{name: value for name, value in asdict(structure).items() if name != "rounds"},
            "removed": removed,
            "costs_before": asdict(before),
            "costs_after": asdict(after),
            "validation_before": reference,
            **removal.report(network),
            **_predicted(predicting, before, after),
            "rounds": rounds,
        },
    )


@contextmanager
def _fast_statistics(network: Any, steps: int) -> Generator[None]:
    """Let the statistics of batch norms follow what the removal has changed within the training.

    Published networks have momenta of 0.99 and 0.999: after a few hundred steps inference would
    still see the statistics of the whole network, and answer nonsense.
    """
    norms = [
        (layer, layer.momentum)
        for layer in network.layers
        if isinstance(layer, tf_keras.layers.BatchNormalization)
    ]
    for layer, momentum in norms:
        layer.momentum = min(momentum, max(_SHORTEST, 1 - _MEMORIES / steps))
    yield
    for layer, momentum in norms:
        layer.momentum = momentum


def _cost_model(structure: StructureSettings, costs: Path | None) -> CostModel | None:
    """Return what predicts latency, where that is the target.

    Raises:
        UserError: It is, and there is none.
    """
    if structure.target != "latency_ms":
        return None
    if costs is None:
        raise UserError(
            "prune: target: latency_ms is predicted, and no cost model of a device is given",
            "give --costs, the report of cost_model, or write target: macs",
        )
    return CostModel.read(costs)


def _predicted(model: CostModel | None, before: Costs, after: Costs) -> dict[str, object]:
    """Say what was predicted, and how far that can be believed; nothing where nothing was."""
    if model is None:
        return {}
    return {
        "predicted_latency": {
            "before_ms": model.latency_ms(asdict(before)),
            "after_ms": model.latency_ms(asdict(after)),
            "scheme": model.scheme,
            "device": model.device,
            "median_error": model.latency.median_error,
            "rank_correlation": model.latency.rank_correlation,
            "said": f"{model.in_words}; predicted, not measured",
        }
    }


def _refuse_too_much(
    removal: ChannelRemoval | BlockRemoval, whole: int, structure: StructureSettings, path: Path
) -> None:
    """Ask, before anything is trained, that the target can be met.

    Raises:
        UserError: It cannot; the fix names what can.
    """
    least = removal.least()
    if least <= whole * (1 - structure.remove):
        return
    most = math.floor(100 * (1 - least / whole)) / 100
    if not most:
        raise UserError(
            f"prune: nothing of the model in {path} can be removed: "
            + "; ".join(dict.fromkeys(removal.reasons())),
            "leave prune away for this model, or write method: weights",
        )
    method = removal.METHOD
    raise UserError(
        f"prune: at most {most:.0%} of the {structure.target} of the model in {path} can be "
        f"removed by method: {method}, and remove is {structure.remove:g}; {_UNREACHED[method]}",
        f"write remove: {most:g}",
    )


def _images(data: Dataset, info: ModelInfo, seed: int) -> Iterator[np.ndarray]:
    """Yield batches of training images as the network takes them."""
    images_nhwc = data.images("train")
    rows = np.random.default_rng(seed).permutation(len(images_nhwc))[:_IMAGES]
    for start in range(0, len(rows), _BATCH):
        yield model_folder.normalize(
            np.asarray(images_nhwc[np.sort(rows[start : start + _BATCH])]), info
        )


def _write_report(report: Path, content: Mapping[str, object]) -> None:
    report.mkdir(parents=True, exist_ok=True)
    (report / "pruning.json").write_bytes(canonical_json({"schema": 1, **content}))
