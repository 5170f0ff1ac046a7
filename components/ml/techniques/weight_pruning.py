"""Pruning by magnitude: the smallest weights of a layer become 0 while the rest makes up for it.

The network is trained meanwhile: to answer what it answered before, so that nothing but the zeros
is new, or what its teacher answers, and to know the labels beside that.

Shapes: n images, b images in a batch, d numbers of an output, v views.

References:
    Zhu and Gupta, To prune, or not to prune, arXiv:1710.01878 (the schedule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from components.artifacts import answers as stored_answers
from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.artifacts.promises import Promises
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import model_folder, samples
from components.ml.runtime import tf_keras
from components.ml.settings import Augmentation, Optimization, TeacherViews, TrainingSchedule
from components.ml.techniques import tfmot_pruning
from components.ml.techniques.preservation import examples_with_answers, objective_of
from components.ml.techniques.pruning_ruin import floor_of_pruned
from components.ml.techniques.sparsity import (
    Kernels,
    Layer,
    compare,
    kernels_of,
    overall,
    refuse,
    with_zeros,
)
from components.ml.techniques.tfmot_wrapping import (
    ValidationAfterPruning,
    reason_to_skip,
    schedule_of,
    strip,
    wrapped,
)
from components.ml.techniques.weight_pruning_settings import WeightPruningSettings
from components.ml.training import loop
from components.ml.training.augmentation import settled_for_answers
from components.ml.training.examples import examples_of
from components.ml.training.loop import History
from components.ml.training.outputs import Outputs, outputs_of
from components.ml.training.restarts import fit_with_restarts
from components.ml.training.validation import Validation


def prune(
    path: Path, dataset: Path, teacher: Path | None, pruned: Path, report: Path,
    *, method: Literal["weights", "tfmot"], sparsity: float, settings: WeightPruningSettings,
    teacher_views: TeacherViews, augmentation: Augmentation, schedule: TrainingSchedule, seed: int,
) -> None:  # fmt: skip
    """Prune a Model and write it; see ``components.prune``."""
    model, info = model_folder.load(path, "pruned")  # takes the pruned weights in the end
    data = Dataset.open(dataset)
    refuse_unfit(info, data, path)
    settings = settings.of(info.task)
    before = kernels_of(model)
    _refuse_nothing(before, path)
    answers = outputs_of(model, info)
    # Where nothing is learned from labels, batches are drawn over all images: nothing is compared.
    examples = examples_of(data, turns=augmentation.turns, mirrors=augmentation.mirrors)
    if not settings.label_weight:
        examples = replace(examples, compared=False)
    optimization = Optimization(**asdict(schedule), weight_decay=0.0, warmup=0.0)
    if method == "weights" and settings.label_weight != 1:
        augmentation = settled_for_answers(augmentation)
    else:
        augmentation = examples.settled(augmentation, info.task, optimization)
    steps = examples.steps(optimization)
    zeros = schedule_of(sparsity, steps * optimization.epochs, settings.sparsity_schedule)
    network = wrapped(_copied(model), zeros, by_rank=method == "weights")
    validation = Validation(data, info.task)
    reference = validation.measure(answers)
    counting = ValidationAfterPruning(validation, network, zeros.end_step)
    theirs = _asked(teacher, method, settings, augmentation)
    zeroed = with_zeros(model, sparsity)
    untrained = _measured(model, zeroed, validation, answers)
    if method == "weights":
        objective_of(info, examples, settings, seed)  # refuses what cannot be learned, first
        examples = examples_with_answers(
            examples, answers, info, data, teacher, settings, teacher_views, augmentation, seed
        )

    def fit(how: Optimization, floor: float | None) -> History:
        """Train it; until all zeros are chosen no epoch counts, so that the end is judged."""
        del floor
        given = (counting, how, augmentation, seed)
        if method == "tfmot":
            return tfmot_pruning.fit(network, info, examples, *given)
        # New variables each time: those of a ruined training are ruined, too.
        objective = objective_of(info, examples, settings, seed)
        return loop.fit(network, info, examples, objective, *given)

    floor = floor_of_pruned(untrained, validation, theirs, data.info.shape)
    trained = fit_with_restarts(network, fit, optimization, untrained, floor, never_worse=False)
    history = trained.history
    if history.kept.number:
        strip(network, model)
    else:
        model.set_weights(zeroed)
    layers = compare(before, kernels_of(model))
    _refuse(layers, sparsity, method)
    step = {
        "component": "prune",
        "method": method,
        "sparsity": sparsity,
        "epochs": history.kept.number,
        "zeros": sum(layer.zeros_after for layer in layers if not layer.skipped),
    }
    told = counted(history, zeros.end_step / steps)
    curve = trained.told(told.curve(augmentation.augment, reference))
    model_folder.save(
        pruned,
        model,
        info.after(
            step, curve=curve, promises=Promises(zeros=int(step["zeros"])), quantization=None
        ),
    )
    samples.pass_on(path, pruned)
    _write_report(
        report,
        {
            "method": method,
            "sparsity": sparsity,
            **(asdict(settings) if method == "weights" else {}),
            "augment": augmentation.augment,
            "schedule": zeros.get_config()["config"],
            "steps_per_epoch": steps,
            "validation_before": reference,
            **trained.to_json(),
            "layers": [asdict(layer) for layer in layers],
            "sparsity_of_model": overall(layers),
            "history": told.to_json(),
        },
    )


def _asked(
    teacher: Path | None, method: str, settings: WeightPruningSettings, augmentation: Augmentation
) -> Path | None:
    """Return the teacher whose answers are learned; None where they are the model's own.

    Raises:
        UserError: It is known by its answers, and images are to be turned.
    """
    theirs = method == "weights" and settings.answers_of == "teacher" and settings.label_weight != 1
    if not theirs or teacher is None:
        return None
    for name, what in (("turns", "turned"), ("mirrors", "mirrored")):
        if getattr(augmentation, name) and stored_answers.stored(teacher, "train") is not None:
            raise UserError(
                f"prune: {name}: the teacher is known by its answers to images as they are, and "
                f"cannot be asked about {what} ones",
                f"leave {name} away, or write answers_of: model",
            )
    return teacher


def _refuse_nothing(kernels: Kernels, path: Path) -> None:
    """Ask that one layer at least can be pruned."""
    if all(reason_to_skip(layer) for layer, _ in kernels.values()):
        raise UserError(
            f"prune: no layer of the model in {path} can be pruned: "
            + "; ".join(f"{row.name}: {row.skipped}" for row in compare(kernels, kernels)),
            "leave prune away for this model",
        )


def _copied(model: Any) -> Any:
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _measured(
    model: Any, weights: Sequence[np.ndarray], validation: Validation, answers: Outputs
) -> float:
    """Return the validation metric of a model with other weights, 0 to 1."""
    own = model.get_weights()
    model.set_weights(weights)
    measured = validation.measure(answers)
    model.set_weights(own)
    return measured


def _refuse(layers: Sequence[Layer], sparsity: float, method: str) -> None:
    """Hold the zeros against the target; TFMOT leaves too few where weights are equal."""
    try:
        refuse(layers, sparsity)
    except AssertionError as missed:
        if method == "weights":
            raise
        raise UserError(
            f"prune: TFMOT chose too few zeros: {missed}",
            "write method: weights, which counts them",
        ) from missed


def refuse_unfit(info: ModelInfo, data: Dataset, path: Path) -> None:
    """Refuse a Model that is quantized already, and a dataset that is not the Model's.

    One that was trained through its rounding may be pruned: it has no plan afterwards.

    Raises:
        UserError: Either.
    """
    trained = bool(info.steps) and info.steps[-1]["component"] == "quantize_aware"
    if info.quantization is not None and not trained:
        raise UserError(
            f"prune: the model in {path} has a quantization plan already",
            "put prune before quantize in this variant",
        )
    if info.task != data.info.task or info.image_shape != data.info.shape:
        raise UserError(
            f"prune: the model is for {info.task} of images of {info.image_shape} and the dataset "
            f"for {data.info.task} of {data.info.shape} (height, width, channels)",
            "give the dataset that the model was trained on",
        )


def counted(history: History, first: float) -> History:
    """Return a history without the validation of epochs that could not be chosen.

    Args:
        history: Of a training under ``ValidationAfterPruning``.
        first: Epochs until all zeros are chosen.
    """
    epochs = tuple(
        replace(epoch, validation=None) if epoch.number < first else epoch
        for epoch in history.epochs
    )
    return replace(history, epochs=epochs)


def _write_report(report: Path, content: Mapping[str, object]) -> None:
    report.mkdir(parents=True, exist_ok=True)
    (report / "pruning.json").write_bytes(canonical_json({"schema": 1, **content}))
