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
from typing import Literal

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
from components.ml.techniques.sparsity import Layer, compare, kernels_of, overall, refuse
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
from components.ml.training.outputs import outputs_of
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
    if all(reason_to_skip(layer) for layer, _ in before.values()):
        raise UserError(
            f"prune: no layer of the model in {path} can be pruned: "
            + "; ".join(f"{row.name}: {row.skipped}" for row in compare(before, before)),
            "leave prune away for this model",
        )
    trained = tf_keras.models.clone_model(model)
    trained.set_weights(model.get_weights())
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
    network = wrapped(trained, zeros, by_rank=method == "weights")
    validation = Validation(data, info.task)
    reference = validation.measure(answers)
    counting = ValidationAfterPruning(validation, network, zeros.end_step)
    if method == "tfmot":
        history = tfmot_pruning.fit(
            network, info, examples, counting, optimization, augmentation, seed
        )
    else:
        objective = objective_of(info, examples, settings, seed)
        examples = examples_with_answers(
            examples, answers, info, data, teacher, settings, teacher_views, augmentation, seed
        )
        history = loop.fit(
            network, info, examples, objective, counting, optimization, augmentation, seed
        )
    strip(network, model)
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
    curve = told.curve(augmentation.augment, reference)
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
            "layers": [asdict(layer) for layer in layers],
            "sparsity_of_model": overall(layers),
            "history": told.to_json(),
        },
    )


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

    Raises:
        UserError: Either.
    """
    if info.quantization is not None and not info.promises.ranges:
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
