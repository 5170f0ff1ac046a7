"""TFMOT's pruning: which layers are wrapped, when zeros are chosen, and the weights taken back out.

References:
    Zhu and Gupta, To prune, or not to prune, arXiv:1710.01878 (the schedule).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tensorflow_model_optimization.python.core.sparsity.keras import (
    prune_registry,
    pruning_impl,
    pruning_schedule,
    pruning_wrapper,
)
from tensorflow_model_optimization.sparsity import keras as sparsity_keras

from components.ml.runtime import tf, tf_keras
from components.ml.training.outputs import Outputs
from components.ml.training.validation import Validation

_PRUNED_BY = 0.6
"""The part of the training after which all zeros are chosen; the rest is recovery."""
_UPDATES = 20
"""How often zeros are chosen on the way, at most; each time every weight is sorted."""


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


def wrapped(model: Any, schedule: Any, *, by_rank: bool = True) -> Any:
    """Return a model on the same layers in which those that can be pruned are.

    Training it changes the weights of ``model``.

    Args:
        model: Sequential or functional; models inside it are entered.
        schedule: TFMOT's.
        by_rank: Whether as many zeros are chosen as are asked for where weights are equal; False
            leaves the choice to TFMOT.
    """

    def wrap(layer: Any) -> Any:
        if isinstance(layer, tf_keras.Model):
            return tf_keras.models.clone_model(layer, clone_function=wrap)
        if reason_to_skip(layer) is None:
            return sparsity_keras.prune_low_magnitude(layer, pruning_schedule=schedule)
        return layer

    network = tf_keras.models.clone_model(model, clone_function=wrap)
    for layer in pruning_wrapper.collect_prunable_layers(network) if by_rank else ():
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
    return None if prunable(layer) else f"TFMOT prunes no weight of {kind}"


def prunable(layer: Any) -> list[Any]:
    """Return the weights of a layer that TFMOT prunes."""
    if not prune_registry.PruneRegistry.supports(layer):
        return []
    return prune_registry.PruneRegistry.make_prunable(layer).get_prunable_weights()


def schedule_of(sparsity: float, steps: int, kind: Literal["cubic", "constant"] = "cubic") -> Any:
    """Return the schedule from 0 to ``sparsity`` for a training of ``steps`` steps.

    cubic: zeros are chosen at most twenty times, however long the training is, the last time at
    exactly the last step of the schedule. constant: they are chosen at the first step and stay.
    """
    if kind == "constant":
        # A layer counts the step before it asks, so that the first one is number 1.
        return pruning_schedule.ConstantSparsity(sparsity, begin_step=0, end_step=1, frequency=1)
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


def strip(network: Any, model: Any) -> None:
    """Give ``model`` the pruned weights of ``network`` without what wrapped them.

    Args:
        network: Wrapped layers, trained.
        model: The same architecture without wrappers.
    """
    apply_masks(network)
    model.set_weights(sparsity_keras.strip_pruning(network).get_weights())


@dataclass(frozen=True)
class ValidationAfterPruning:
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
