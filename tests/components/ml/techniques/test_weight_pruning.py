from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts.dataset import Dataset
from components.artifacts.model import ImageInput, ModelInfo, QuantizationPlan, Scores
from components.contract.errors import UserError
from components.ml.techniques import sparsity, tfmot_wrapping, weight_pruning
from components.ml.techniques.preservation import OutputPreservation


def nested() -> Any:
    """A model in a model, a layer used twice, and layers that TFMOT does not prune."""
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    inner = tf_keras.Sequential(
        [layers.Input((6, 6, 4)), layers.Conv2D(4, 3, name="deep"), layers.PReLU(name="bent")],
        name="inner",
    )
    image = flow = layers.Input((8, 8, 1))
    flow = inner(layers.Conv2D(4, 3, name="first")(flow))
    flow = layers.SeparableConv2D(6, 3, name="apart")(
        layers.DepthwiseConv2D(2, name="deepwise")(flow)
    )
    twice = layers.Dense(6, name="twice")
    return tf_keras.Model(image, twice(twice(layers.GlobalAveragePooling2D()(flow))))


def disturb(network: Any) -> None:
    """Move every weight, as an optimizer does, masked ones too."""
    random = np.random.default_rng(0)
    for weight in network.trainable_weights:
        weight.assign_add(random.normal(0, 0.01, weight.shape).astype(np.float32))


def trained(model: Any, share: float, steps: int = 10) -> Any:
    network = tfmot_wrapping.wrapped(model, tfmot_wrapping.schedule_of(share, steps))
    image = np.random.default_rng(1).normal(size=(2, 8, 8, 1)).astype(np.float32)
    for _ in range(steps):
        network(image, training=True)
        disturb(network)
    return network


@given(steps=st.integers(1, 100_000))
def test_the_last_zeros_are_chosen_on_the_last_step_of_the_schedule(steps: int) -> None:
    schedule = tfmot_wrapping.schedule_of(0.5, steps)
    assert 1 <= schedule.end_step <= steps
    assert schedule.end_step % schedule.frequency == 0
    assert schedule.end_step // schedule.frequency <= 40
    assert schedule.end_step >= steps // 2


def test_layers_of_nested_models_are_pruned_and_the_rest_is_told() -> None:
    model = nested()
    before = sparsity.kernels_of(model)
    assert list(before) == ["first", "inner/deep", "inner/bent", "deepwise", "apart", "twice"]
    copy = nested()
    copy.set_weights(model.get_weights())
    network = trained(copy, 0.5)
    tfmot_wrapping.strip(network, model)
    rows = {row.name: row for row in sparsity.compare(before, sparsity.kernels_of(model))}
    skipped = {name: row.skipped for name, row in rows.items() if row.skipped}
    assert skipped == {
        "inner/bent": "TFMOT does not know PReLU",
        "deepwise": "TFMOT prunes no weight of DepthwiseConv2D",
    }
    assert rows["apart"].weights == 24  # the pointwise kernel; the depthwise one is not pruned
    for name in rows.keys() - skipped.keys():
        assert rows[name].sparsity_after == pytest.approx(0.5, abs=0.03), name
        assert rows[name].sparsity_before == 0
    for name in skipped:  # alphas of a PReLU start at 0 and have moved
        assert rows[name].zeros_after == 0
    sparsity.refuse(tuple(rows.values()), 0.5)


def test_weights_that_moved_after_the_last_mask_fail_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = nested()
    before = sparsity.kernels_of(model)
    network = trained(nested(), 0.5)
    monkeypatch.setattr(tfmot_wrapping, "apply_masks", lambda network: None)
    tfmot_wrapping.strip(network, model)
    with pytest.raises(AssertionError, match=r"first has 0 zeros of 36, .* and not 0\.5"):
        sparsity.refuse(sparsity.compare(before, sparsity.kernels_of(model)), 0.5)


def test_a_model_that_never_got_the_pruned_weights_fails_the_gate() -> None:
    model = nested()
    before = sparsity.kernels_of(model)
    trained(nested(), 0.5)
    with pytest.raises(AssertionError, match="0 zeros"):
        sparsity.refuse(sparsity.compare(before, sparsity.kernels_of(model)), 0.5)


def test_one_layer_below_the_target_is_enough_to_fail() -> None:
    good = sparsity.Layer("a", "Dense", 1000, 0, 499, 0.0, 0.499, None)
    sparsity.refuse([good], 0.5)  # rounding
    with pytest.raises(AssertionError, match="b has 480"):
        sparsity.refuse([good, replace(good, name="b", zeros_after=480)], 0.5)
    sparsity.refuse([replace(good, zeros_after=0, skipped="because")], 0.5)


def test_a_network_counts_for_nothing_before_all_its_zeros_are_chosen() -> None:
    from components.ml.training.loop import Epoch, History

    epochs = tuple(Epoch(number, 1.0, 0.1, 0.9) for number in (1, 2, 3))
    history = weight_pruning.counted(History("auc", epochs, epochs[2]), first=1.6)
    assert [epoch.validation for epoch in history.epochs] == [None, 0.9, 0.9]


def test_answering_as_before_costs_nothing() -> None:
    from components.artifacts.model import Embedding
    from components.ml.training.objectives import OUTPUT, TEACHER

    random = np.random.default_rng(0)
    vectors = random.normal(size=(6, 8)).astype(np.float32)
    preservation = OutputPreservation(Embedding(8))
    assert float(preservation({OUTPUT: vectors}, {TEACHER: vectors}, 0.5)) == pytest.approx(
        0, abs=1e-5
    )
    assert float(preservation({OUTPUT: vectors}, {TEACHER: -vectors}, 0.5)) > 1
    for activation in ("none", "softmax"):
        answers, logarithms = vectors, vectors
        if activation == "softmax":
            answers = np.exp(vectors) / np.exp(vectors).sum(axis=1, keepdims=True)
            logarithms = np.log(answers)
        classes = OutputPreservation(Scores(tuple("abcdefgh"), activation))
        assert float(classes({OUTPUT: answers}, {TEACHER: logarithms}, 0)) == pytest.approx(
            0, abs=1e-5
        )
        assert float(classes({OUTPUT: answers}, {TEACHER: -logarithms}, 0)) > 0.1


def test_scores_of_single_classes_are_kept_one_by_one() -> None:
    from components.ml.training.objectives import OUTPUT, TEACHER

    logits = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    answers = 1 / (1 + np.exp(-logits))
    scores = OutputPreservation(Scores(tuple("abcdefgh"), "sigmoid"))
    assert float(scores({OUTPUT: answers}, {TEACHER: logits}, 0)) == pytest.approx(0, abs=1e-4)
    # Shares are equal, and each score by itself is not.
    assert float(scores({OUTPUT: answers / 2}, {TEACHER: logits}, 0)) > 0.1


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_equal_weights_are_pruned_as_far_as_asked(share: float) -> None:
    from components.ml.runtime import tf_keras

    def edges() -> Any:
        """Filters of two different sizes of weights, and one of zeros alone."""
        model = tf_keras.Sequential(
            [tf_keras.layers.Input((8, 8, 1)), tf_keras.layers.Conv2D(4, 4, name="edge")]
        )
        kernel = np.ones((4, 4, 1, 4), np.float32)
        kernel[..., 1], kernel[..., 2], kernel[..., 3] = -2, 0, 1
        model.set_weights([kernel, np.zeros(4, np.float32)])
        return model

    model, before = edges(), sparsity.kernels_of(edges())
    network = tfmot_wrapping.wrapped(edges(), tfmot_wrapping.schedule_of(share, 10))
    for _ in range(10):
        network(np.ones((1, 8, 8, 1), np.float32), training=True)
    tfmot_wrapping.strip(network, model)
    rows = sparsity.compare(before, sparsity.kernels_of(model))
    sparsity.refuse(rows, share)
    assert rows[0].zeros_after == max(16, round(64 * share))


def test_without_equal_weights_the_frameworks_own_choice_is_made() -> None:
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

    network = trained(nested(), 0.5)
    for layer in pruning_wrapper.collect_prunable_layers(network):
        own = layer.pruning_obj
        for weight, _, _ in layer.pruning_vars:
            threshold, mask = own._update_mask(weight)
            expected = super(type(own), own)._update_mask(weight)
            np.testing.assert_array_equal(threshold, expected[0])
            np.testing.assert_array_equal(mask, expected[1])


def test_a_frozen_layer_is_neither_trained_nor_pruned() -> None:
    model = nested()
    model.get_layer("first").trainable = False
    before = sparsity.kernels_of(model)
    trained(model, 0.5)
    rows = {row.name: row for row in sparsity.compare(before, sparsity.kernels_of(model))}
    assert rows["first"].skipped == "frozen: teacher.freeze names it"
    np.testing.assert_array_equal(before["first"][1][0], model.get_layer("first").get_weights()[0])


@pytest.mark.parametrize(("component", "taken"), [("quantize_aware", True), ("quantize", False)])
def test_a_network_that_was_trained_through_its_rounding_may_be_pruned(
    component: str, taken: bool, pattern_data: Path
) -> None:
    """Whichever method trained it, and whether its ranges are known or in its program."""
    data = Dataset.open(pattern_data)
    made = ModelInfo("classification", ImageInput(8, 8, 1), Scores(tuple("abcd"), "softmax"), 0)
    planned = made.after({"component": component}, quantization=QuantizationPlan("int8"))
    if taken:
        weight_pruning.refuse_unfit(planned, data, Path("model"))
        return
    with pytest.raises(UserError, match="has a quantization plan already"):
        weight_pruning.refuse_unfit(planned, data, Path("model"))
