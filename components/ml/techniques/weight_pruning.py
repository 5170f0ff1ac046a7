"""Pruning by magnitude: the smallest weights of a layer become 0 while the rest makes up for it.

The pruned network is trained to answer what it answered before, so that nothing but the zeros is
new: embeddings keep their directions, classifiers their probabilities beside the labels.

Shapes: n images, b images in a batch, d numbers of an output, v views.

References:
    Zhu and Gupta, To prune, or not to prune, arXiv:1710.01878 (the schedule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tensorflow_model_optimization.python.core.sparsity.keras import (
    prune_registry,
    pruning_impl,
    pruning_schedule,
    pruning_wrapper,
)
from tensorflow_model_optimization.sparsity import keras as sparsity_keras

from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ModelInfo, Scores
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import model_folder
from components.ml.runtime import tf, tf_keras
from components.ml.settings import Augmentation, Optimization, TeacherViews, TrainingSchedule
from components.ml.training import loop, losses
from components.ml.training.examples import examples_of
from components.ml.training.loop import History
from components.ml.training.objectives import TEACHER
from components.ml.training.teacher import ask_teacher, with_mixup
from components.ml.training.validation import Outputs, Validation, outputs_of

_PRUNED_BY = 0.6
"""The part of the training after which all zeros are chosen; the rest is recovery."""
_UPDATES = 20
"""How often zeros are chosen on the way, at most; each time every weight is sorted."""
_ROUNDING = 1e-6
"""Share of a layer by which the framework's 32-bit arithmetic may miss a count."""
_TEMPERATURE = 2.0
_LEAST = 1e-12
"""Probability below which a softmax says nothing more."""

Kernels: TypeAlias = dict[str, tuple[Any, list[np.ndarray]]]


@dataclass(frozen=True)
class Layer:
    """What became of one layer with weights of two dimensions or more.

    Attributes:
        name: Of the layer; nested models are joined by slashes.
        kind: Class of the layer.
        weights: Count of numbers in its kernels.
        zeros_before: Of these, before.
        zeros_after: Of these, afterwards.
        sparsity_before: Share, 0 to 1.
        sparsity_after: Share, 0 to 1.
        skipped: Why it was left alone, or None.
    """

    name: str
    kind: str
    weights: int
    zeros_before: int
    zeros_after: int
    sparsity_before: float
    sparsity_after: float
    skipped: str | None


class _ByRank(pruning_impl.Pruning):
    """TFMOT's choice of zeros, with as many as are asked for where weights have equal size.

    TFMOT keeps all weights that are as large as the smallest one that it keeps; here those that
    stand first in the array are kept. Without equal weights the choice is the same.
    """

    def _update_mask(self, weights: Any) -> tuple[Any, Any]:
        sparsity = self._pruning_schedule(self._step_fn())[1]
        sizes = tf.reshape(tf.abs(weights), [-1])
        count = tf.size(sizes)
        kept = tf.maximum(tf.round(tf.cast(count, tf.float32) * (1 - sparsity)), 1)
        kept = tf.cast(kept, tf.int32)
        values, places = tf.math.top_k(sizes, k=count)
        mask = tf.scatter_nd(places[:, None], tf.cast(tf.range(count) < kept, sizes.dtype), [count])
        return values[kept - 1], tf.reshape(mask, weights.shape)


def wrapped(model: Any, schedule: Any) -> Any:
    """Return a model on the same layers in which those that can be pruned are.

    Training it changes the weights of ``model``.

    Args:
        model: Sequential or functional; models inside it are entered.
        schedule: TFMOT's.
    """

    def wrap(layer: Any) -> Any:
        if isinstance(layer, tf_keras.Model):
            return tf_keras.models.clone_model(layer, clone_function=wrap)
        if reason_to_skip(layer) is None:
            return sparsity_keras.prune_low_magnitude(layer, pruning_schedule=schedule)
        return layer

    network = tf_keras.models.clone_model(model, clone_function=wrap)
    for layer in pruning_wrapper.collect_prunable_layers(network):
        layer.pruning_step.assign(0)
        layer.pruning_obj = _ByRank(
            training_step_fn=lambda step=layer.pruning_step: step,
            pruning_vars=layer.pruning_vars,
            pruning_schedule=schedule,
            block_size=(1, 1),
            block_pooling_type="AVG",
        )
    return network


def reason_to_skip(layer: Any) -> str | None:
    """Return why TFMOT does not prune a layer; None when it does."""
    kind = type(layer).__name__
    if not layer.trainable:
        return "frozen: teacher.freeze names it"
    if not prune_registry.PruneRegistry.supports(layer):
        return f"TFMOT does not know {kind}"
    return None if _prunable(layer) else f"TFMOT prunes no weight of {kind}"


def _prunable(layer: Any) -> list[Any]:
    """Return the weights of a layer that TFMOT prunes."""
    if not prune_registry.PruneRegistry.supports(layer):
        return []
    return prune_registry.PruneRegistry.make_prunable(layer).get_prunable_weights()


def schedule_of(sparsity: float, steps: int) -> Any:
    """Return the cubic schedule from 0 to ``sparsity`` for a training of ``steps`` steps.

    Zeros are chosen at most twenty times, the last time at exactly the last step of the schedule.
    """
    last = max(1, int(steps * _PRUNED_BY))
    every = max(1, last // _UPDATES)
    return pruning_schedule.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=last - last % every,
        frequency=every,
    )


def apply_masks(network: Any) -> None:
    """Set to 0 what is masked; the optimizer moves masked weights too, after every step."""
    for layer in pruning_wrapper.collect_prunable_layers(network):
        layer.pruning_obj.weight_mask_op()


def kernels_of(model: Any) -> Kernels:
    """Return every layer with weights of two dimensions or more by its name, with their values.

    Of a layer that can be pruned only the weights that are pruned count; a layer that is used
    twice is there once.
    """
    found: Kernels = {}
    seen: set[int] = set()

    def collect(parent: Any, prefix: str) -> None:
        for layer in parent.layers:
            if isinstance(layer, tf_keras.Model):
                collect(layer, f"{prefix}{layer.name}/")
            elif id(layer) not in seen:
                seen.add(id(layer))
                wide = [weight for weight in layer.weights if len(weight.shape) > 1]
                kernels = [weight.numpy() for weight in _prunable(layer) or wide]
                if kernels:
                    found[f"{prefix}{layer.name}"] = (layer, kernels)

    collect(model, "")
    return found


def compare(before: Kernels, after: Kernels) -> tuple[Layer, ...]:
    """Return what became of every layer.

    Args:
        before: Of the model as it came.
        after: Of the same architecture with other weights, without any wrapper.
    """
    assert before.keys() == after.keys(), f"layers: {sorted(before.keys() ^ after.keys())}"
    rows: list[Layer] = []
    for name, (layer, kernels) in before.items():
        weights = sum(kernel.size for kernel in kernels)
        zeros = [
            sum(int((kernel == 0).sum()) for kernel in side[name][1]) for side in (before, after)
        ]
        rows.append(
            Layer(
                name=name,
                kind=type(layer).__name__,
                weights=weights,
                zeros_before=zeros[0],
                zeros_after=zeros[1],
                sparsity_before=zeros[0] / weights,
                sparsity_after=zeros[1] / weights,
                skipped=reason_to_skip(layer),
            )
        )
    return tuple(rows)


def refuse(layers: Sequence[Layer], sparsity: float) -> None:
    """Hold every layer that was to be pruned against the target.

    Raises:
        AssertionError: One has fewer zeros than it must have.
    """
    for layer in layers:
        least = layer.weights * (sparsity - _ROUNDING) - 1
        assert layer.skipped or layer.zeros_after >= least, (
            f"{layer.name} has {layer.zeros_after} zeros of {layer.weights}, which is "
            f"{layer.sparsity_after:.4f} and not {sparsity}"
        )


@dataclass(frozen=True, eq=False)
class Unchanged:
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

    def __call__(self, outputs_bd: Any, batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss: of directions and distances of embeddings, or of probabilities."""
        del progress
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


@dataclass(frozen=True)
class OncePruned:
    """Validation that counts from the moment on when all zeros are chosen.

    Before that a network is better than it will be, and must not be taken for the best.

    Attributes:
        validation: What is measured.
        network: Wrapped layers; what is masked is set to 0 before each measurement.
        last: Step at which the last zeros are chosen.
    """

    validation: Validation
    network: Any
    last: int

    @property
    def metric(self) -> str:
        """Name of what is measured; higher is better."""
        return self.validation.metric

    def measure(self, outputs: Outputs) -> float:
        """Return the metric, 0 to 1; 0 while zeros are still being chosen."""
        apply_masks(self.network)
        layers = pruning_wrapper.collect_prunable_layers(self.network)
        reached = all(int(layer.pruning_step) >= self.last for layer in layers)
        return self.validation.measure(outputs) if reached else 0.0


def prune(
    path: Path, dataset: Path, pruned: Path, report: Path,
    *, sparsity: float, teacher_views: TeacherViews, augmentation: Augmentation,
    schedule: TrainingSchedule, seed: int,
) -> None:  # fmt: skip
    """Prune a Model and write it; see ``components.prune``."""
    model, info = model_folder.load(path, "pruned")  # takes the pruned weights in the end
    data = Dataset.open(dataset)
    _check(info, data, path)
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
    counting = OncePruned(validation, network, zeros.end_step)
    history = loop.fit(
        network, info, examples, Unchanged(info.output), counting, optimization, augmentation, seed
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
    model_folder.save(pruned, model, info.after(step))
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
            "history": counted(history, zeros.end_step / steps).to_json(),
        },
    )


def _check(info: ModelInfo, data: Dataset, path: Path) -> None:
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


def strip(network: Any, model: Any) -> None:
    """Give ``model`` the pruned weights of ``network`` without what wrapped them.

    Args:
        network: Wrapped layers, trained.
        model: The same architecture without wrappers.
    """
    apply_masks(network)
    model.set_weights(sparsity_keras.strip_pruning(network).get_weights())


def overall(layers: Sequence[Layer]) -> float:
    """Return the share of 0 in all weights of two dimensions or more, skipped layers included."""
    return sum(layer.zeros_after for layer in layers) / sum(layer.weights for layer in layers)


def counted(history: History, first: float) -> History:
    """Return a history without the validation of epochs that could not be chosen.

    Args:
        history: Of a training under ``OncePruned``.
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
