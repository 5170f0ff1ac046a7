"""Pruning by magnitude: the smallest weights of a layer become 0 while the rest makes up for it.

The pruned network is trained to answer what it answered before, so that nothing but the zeros is
new: embeddings keep their directions, classifiers their probabilities beside the labels.

Shapes: n images, b images in a batch, d numbers of an output, v views.

References:
    Zhu and Gupta, To prune, or not to prune, arXiv:1710.01878 (the schedule).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ModelInfo, Scores
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import model_folder, samples
from components.ml.runtime import tf, tf_keras
from components.ml.settings import Augmentation, Optimization, TeacherViews, TrainingSchedule
from components.ml.techniques.sparsity import compare, kernels_of, overall, refuse
from components.ml.techniques.tfmot_wrapping import (
    ValidationAfterPruning,
    reason_to_skip,
    schedule_of,
    strip,
    wrapped,
)
from components.ml.training import loop, losses
from components.ml.training.examples import examples_of
from components.ml.training.loop import History
from components.ml.training.objectives import OUTPUT, TEACHER
from components.ml.training.outputs import outputs_of
from components.ml.training.teacher import ask_teacher, with_mixup
from components.ml.training.validation import Validation

_TEMPERATURE = 2.0
_LEAST = 1e-12
"""Probability below which a softmax says nothing more."""


@dataclass(frozen=True, eq=False)
class OutputPreservation:
    """Answering what the network answered before it was pruned.

    Attributes:
        output: What the network answers.
    """

    output: Embedding | Scores

    @property
    def variables(self) -> list[Any]:
        """None of its own."""
        return []

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch with the mixed images that the network was asked about."""
        del seed
        return with_mixup(batch)

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss: of directions and distances of embeddings, or of probabilities."""
        del progress
        outputs_bd = outputs[OUTPUT]
        before_bd = batch[TEACHER]
        if isinstance(self.output, Embedding):
            matching = losses.embedding_matching(outputs_bd, before_bd)
            return matching + losses.relational_matching(outputs_bd, before_bd)
        if self.output.activation == "sigmoid":
            logits_bd = losses.logits_of_sigmoid(outputs_bd)
            return losses.soft_scores(logits_bd, before_bd, _TEMPERATURE)
        logits_bd = outputs_bd
        if self.output.activation == "softmax":
            logits_bd = tf.math.log(tf.maximum(outputs_bd, _LEAST))
        return losses.soft_labels(logits_bd, before_bd, _TEMPERATURE)


def prune(
    path: Path, dataset: Path, pruned: Path, report: Path,
    *, sparsity: float, teacher_views: TeacherViews, augmentation: Augmentation,
    schedule: TrainingSchedule, seed: int,
) -> None:  # fmt: skip
    """Prune a Model and write it; see ``components.prune``."""
    model, info = model_folder.load(path, "pruned")  # takes the pruned weights in the end
    data = Dataset.open(dataset)
    refuse_unfit(info, data, path)
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
    # Batches are drawn over all images: nothing is compared but before and after.
    examples = replace(examples_of(data), compared=False)
    examples = ask_teacher(examples, answers, info, teacher_views, augmentation, seed)
    optimization = Optimization(**asdict(schedule), weight_decay=0.0, warmup_epochs=0.0)
    steps = examples.steps(optimization)
    zeros = schedule_of(sparsity, steps * optimization.epochs)
    network = wrapped(trained, zeros)
    validation = Validation(data, info.task)
    reference = validation.measure(answers)
    counting = ValidationAfterPruning(validation, network, zeros.end_step)
    objective = OutputPreservation(info.output)
    history = loop.fit(
        network, info, examples, objective, counting, optimization, augmentation, seed
    )
    strip(network, model)
    layers = compare(before, kernels_of(model))
    refuse(layers, sparsity)
    step = {
        "component": "prune",
        "method": "weights",
        "sparsity": sparsity,
        "epochs": history.kept.number,
        "zeros": sum(layer.zeros_after for layer in layers if not layer.skipped),
    }
    told = counted(history, zeros.end_step / steps)
    curve = told.curve(augmentation.augment, reference)
    model_folder.save(pruned, model, info.after(step, curve=curve))
    samples.pass_on(path, pruned)
    _write_report(
        report,
        {
            "method": "weights",
            "sparsity": sparsity,
            "schedule": zeros.get_config()["config"],
            "steps_per_epoch": steps,
            "validation_before": reference,
            "layers": [asdict(layer) for layer in layers],
            "sparsity_of_model": overall(layers),
            "history": told.to_json(),
        },
    )


def refuse_unfit(info: ModelInfo, data: Dataset, path: Path) -> None:
    """Refuse a Model that is quantized already, and a dataset that is not the Model's.

    Raises:
        UserError: Either.
    """
    if info.quantization is not None:
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
