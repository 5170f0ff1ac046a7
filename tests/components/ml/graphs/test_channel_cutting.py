"""The exactness gate: a cut network answers as the whole one that reads 0 in place of what is cut.

The second is made here, of the kernels alone and without what cutting itself knows of weights.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from components.contract.errors import UserError
from components.ml.graphs import channel_cutting
from components.ml.graphs.channel_cutting import cut, deviation
from components.ml.graphs.channel_labels import Labels
from components.ml.graphs.channels import Channels, channels_of
from components.ml.graphs.costs import costs_of
from components.ml.runtime import configure, tf_keras
from tests.data import prunable_networks

_CLOSE = 2e-5
"""Of the largest answer: float32 sums numbers in another order where there are fewer."""


def chosen(channels: Channels, seed: int, share: float = 0.4) -> np.ndarray:
    """Return what to keep of every group, at random: all but a share of its units."""
    random = np.random.default_rng(seed)
    keep_u = np.ones(channels.units, bool)
    for group in channels.groups:
        if group.frozen is None:
            removed = int(len(group.units_u) * share)
            keep_u[random.choice(group.units_u, removed, replace=False)] = False
    return keep_u


def zeroed(model: Any, channels: Channels, keep_u: np.ndarray) -> list[np.ndarray]:
    """Return weights with which no kernel reads what is not kept."""
    layers, values = tf_keras.layers, []
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in channels.layers and weights:
            keep_c = keep_u[channels.layers[layer.name].inputs_c]
            if isinstance(layer, layers.Conv2DTranspose):
                weights[0][..., ~keep_c] = 0
            elif isinstance(layer, layers.SeparableConv2D):
                weights[0][..., ~keep_c, :] = 0
            elif getattr(layer, "groups", 1) > 1:
                width = weights[0].shape[-1] // layer.groups
                for group, keep in enumerate(keep_c.reshape(layer.groups, -1)):
                    weights[0][..., ~keep, group * width : (group + 1) * width] = 0
            elif isinstance(layer, layers.Dense | layers.Conv1D | layers.Conv2D) and not isinstance(
                layer, layers.DepthwiseConv2D
            ):
                weights[0][..., ~keep_c, :] = 0
        values += [(layer, weights)]
    before = model.get_weights()
    for layer, weights in values:
        layer.set_weights(weights)
    changed = model.get_weights()
    model.set_weights(before)
    return changed


def check(name: str, model: Any) -> tuple[Any, Any, Channels]:
    """Cut at random, and compare with the whole network that reads zeros."""
    channels = channels_of(model)
    keep_u = chosen(channels, zlib.crc32(name.encode()))
    image = np.random.default_rng(1).uniform(0, 255, (2, *model.input_shape[1:]))
    image = image.astype(np.float32) / (1 if "V3" in name or "Eff" in name else 128)
    pruned = cut(model, channels, keep_u)
    before, after = model(image).numpy(), pruned(image).numpy()
    own = model.get_weights()
    model.set_weights(zeroed(model, channels, keep_u))
    expected = model(image).numpy()
    model.set_weights(own)
    size = np.abs(expected).max()
    assert np.isfinite(after).all()
    assert 0.01 < size < 1e4
    assert np.abs(expected - before).max() > 0.01 * size, "nothing was cut that mattered"
    worst = np.abs(after - expected).max() / size
    assert deviation(model, pruned, channels, keep_u, image) == pytest.approx(worst, abs=1e-6)
    assert all(
        np.array_equal(one, other) for one, other in zip(own, model.get_weights(), strict=True)
    )
    assert worst < _CLOSE, f"{name}: {worst:.1e} of the largest answer"
    return model, pruned, channels


@pytest.fixture(autouse=True)
def _quiet() -> None:
    configure(threads=2, seed=0)
    tf_keras.backend.clear_session()


@pytest.mark.parametrize("name", prunable_networks.SMALL)
def test_answers_are_those_of_the_network_that_reads_zeros(name: str) -> None:
    model, pruned, channels = check(
        name, prunable_networks.randomized(prunable_networks.SMALL[name]())
    )
    before, after = costs_of(model), costs_of(pruned)
    if name != "across channels":
        assert after.macs < 0.7 * before.macs, name
    assert after.parameters == pruned.count_params()
    assert channels.groups


def test_what_cannot_be_removed_is_frozen_with_the_reason() -> None:
    model = prunable_networks.randomized(prunable_networks.SMALL["across channels"]())
    frozen = {group.layers: group.frozen for group in channels_of(model).groups}
    layers = {name: reason for names, reason in frozen.items() for name in names}
    assert layers.pop("hidden") is None
    assert layers.pop("free") is None
    assert layers.pop("last") is None
    assert "across (LayerNormalization): it computes across channels" in str(layers.pop("first"))
    assert layers.pop("soft") == "soft (Conv2D): its softmax needs all channels"
    assert "(Softmax): it computes across channels" in str(layers.pop("softer"))
    assert "(Permute): it moves channels to another axis" in str(layers.pop("turned"))
    reasons = sorted(str(reason) for reason in layers.values())
    assert reasons == sorted(["None", layers["conv2d"] or "None", "it is the answer"]), layers


def test_a_layer_that_nobody_knows_freezes_what_it_touches() -> None:
    class Mystery(tf_keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs[..., ::-1]

    layers = tf_keras.layers
    image = layers.Input((8, 8, 3))
    flow = Mystery(name="riddle")(layers.Conv2D(8, 3, name="before")(image))
    flow = layers.Conv2D(16, 3, name="after")(flow)
    model = tf_keras.Model(image, layers.Dense(4, name="answer")(layers.Flatten()(flow)))
    groups = {group.layers: group.frozen for group in channels_of(model).groups}
    assert groups == {
        ("before",): "riddle (Mystery): nothing is known of Mystery and its channels",
        ("after",): None,
        ("answer",): "it is the answer",
    }


def test_layers_that_are_not_trained_are_not_cut() -> None:
    model = prunable_networks.randomized(prunable_networks.SMALL["separable"]())
    model.layers[2].trainable = False
    reasons = [group.frozen for group in channels_of(model).groups]
    assert sum("teacher.freeze names it" in str(reason) for reason in reasons) == 2


def _never_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Labels, "tie", lambda *_: None)


def _other_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = channel_cutting._taken
    turned = lambda weight, axes: taken(  # noqa: E731
        weight, {axis: np.roll(keep, 1) if axis == -1 else keep for axis, keep in axes.items()}
    )
    monkeypatch.setattr(channel_cutting, "_taken", turned)


def _softmax_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze = Labels.freeze
    monkeypatch.setattr(
        Labels,
        "freeze",
        lambda self, labels_c, reason: None if "softmax" in reason else freeze(
            self, labels_c, reason
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "mutate"),
    [("MobileFaceNet", _never_tied), ("tangled", _other_channels),
     ("grouped", _other_channels), ("across channels", _softmax_passed)],
)  # fmt: skip
def test_a_mistake_turns_the_gate_red(
    name: str, mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = prunable_networks.randomized(prunable_networks.SMALL[name]())
    mutate(monkeypatch)
    seen = r"largest answer|shape|fit together"
    with pytest.raises((AssertionError, ValueError, UserError), match=seen):
        check(name, model)


@pytest.mark.slow
@pytest.mark.parametrize("name", prunable_networks.FULL)
def test_whole_networks_are_cut_exactly(name: str) -> None:
    model, pruned, _ = check(name, prunable_networks.randomized(prunable_networks.FULL[name]()))
    assert costs_of(pruned).macs < 0.6 * costs_of(model).macs


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_are_cut_exactly(seed: int) -> None:
    model = prunable_networks.randomized(prunable_networks.random_network(seed), seed)
    _, pruned, _ = check(f"random {seed}", model)
    assert costs_of(pruned).macs < costs_of(model).macs


@pytest.mark.slow
def test_many_random_networks_are_cut_exactly() -> None:
    for seed in range(4, 60):
        model = prunable_networks.randomized(prunable_networks.random_network(seed), seed)
        check(f"random {seed}", model)
        tf_keras.backend.clear_session()
