"""Blocks that are left out: the shorter network answers as the whole one whose blocks give 0."""

from typing import Any

import numpy as np
import pytest

from components.ml.graphs.costs import costs_of, layer_costs, total_of
from components.ml.graphs.residual_blocks import (
    reasons_to_stay,
    residual_blocks,
    without_blocks,
)
from components.ml.runtime import configure, tf_keras
from tests.data import prunable_networks

BLOCKS = {"EfficientNetB0": 1, "ResNet50": 3, "ResNet50V2": 1}
"""How many blocks of each network can be left out."""


def silenced(model: Any, names: list[str]) -> Any:
    """Return the network in which the last layer with weights of each block gives 0."""
    for name in names:
        layer = model.get_layer(name)
        layer.set_weights(
            [
                np.zeros_like(weights) if "moving" not in weight.name else weights
                for weight, weights in zip(layer.weights, layer.get_weights(), strict=True)
            ]
        )
    return model


@pytest.mark.parametrize("name", BLOCKS)
def test_the_shorter_network_answers_as_the_whole_one_with_silent_blocks(name: str) -> None:
    configure(threads=2, seed=0)
    model = prunable_networks.randomized(prunable_networks.SMALL[name]())
    image = np.random.default_rng(1).uniform(0, 2, (2, *model.input_shape[1:])).astype(np.float32)
    blocks = residual_blocks(model)
    assert len(blocks) == BLOCKS[name]
    removed = blocks[::2]
    shorter = without_blocks(model, removed)
    before, after = model(image).numpy(), shorter(image).numpy()
    last = [
        next(layer for layer in reversed(block.layers) if model.get_layer(layer).weights)
        for block in removed
    ]
    expected = silenced(model, last)(image).numpy()
    size = np.abs(expected).max()
    assert np.abs(after - expected).max() < 1e-5 * size
    assert np.abs(before - expected).max() > 0.01 * size
    gone = {layer for block in removed for layer in block.layers}
    assert costs_of(shorter) == total_of(
        [each for each in layer_costs(model) if each.name not in gone]
    )


def test_a_block_that_shares_or_shows_what_is_inside_stays() -> None:
    layers = tf_keras.layers
    image = layers.Input((8, 8, 4))
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    flow = layers.Add(name="shares")([image, shared(image)])
    flow = layers.Add(name="shares_too")([flow, shared(flow)])
    inner = layers.Conv2D(4, 3, padding="same", name="seen")(flow)
    flow = layers.Add(name="shows")([flow, inner])
    flow = layers.Add(name="projects")(
        [layers.Conv2D(4, 1)(flow), layers.Conv2D(4, 3, padding="same")(flow)]
    )
    free = layers.Conv2D(4, 3, padding="same", name="inside")(flow)
    flow = layers.Add(name="free")([free, flow])
    flow = layers.Concatenate()([flow, inner])
    model = tf_keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(flow)))
    assert [(block.addition, block.layers) for block in residual_blocks(model)] == [
        ("free", ("inside", "free"))
    ]
    assert reasons_to_stay(model) == {
        "shares": "shared is called elsewhere, too",
        "shares_too": "shared is called elsewhere, too",
        "shows": "what is inside of it is read outside, too",
        "projects": "neither of its sides is what the other one reads",
    }


def test_a_block_inside_a_block_goes_with_it_or_alone() -> None:
    layers = tf_keras.layers
    image = layers.Input((8, 8, 4))
    first = layers.Conv2D(4, 1, name="first")(image)
    inner = layers.Conv2D(4, 1, name="middle")(first)
    inner = layers.Add(name="inner")([inner, layers.Conv2D(4, 1, name="deep")(inner)])
    flow = layers.Add(name="outer")([first, inner])
    model = tf_keras.Model(image, layers.Dense(2, name="end")(layers.Flatten()(flow)))
    blocks = {block.addition: block for block in residual_blocks(model)}
    assert set(blocks) == {"inner", "outer"}
    for names, left in (
        (["inner"], ["first", "middle", "outer", "end"]),
        (["outer"], ["first", "end"]),
        (["inner", "outer"], ["first", "end"]),
    ):
        shorter = without_blocks(model, [blocks[name] for name in names])
        kept = [layer.name for layer in shorter.layers]
        assert [name for name in kept if "input" not in name and "flatten" not in name] == left


def test_a_block_that_is_not_trained_stays_with_the_reason() -> None:
    layers = tf_keras.layers
    image = layers.Input((8, 8, 4))
    flow = image
    for number in range(2):
        inside = layers.Conv2D(4, 3, padding="same", name=f"inside{number}")(flow)
        flow = layers.Add(name=f"add{number}")([flow, layers.ReLU(name=f"bent{number}")(inside)])
    model = tf_keras.Model(image, flow)
    assert [block.addition for block in residual_blocks(model)] == ["add0", "add1"]
    model.get_layer("inside0").trainable = False
    assert [block.addition for block in residual_blocks(model)] == ["add1"]
    assert reasons_to_stay(model) == {"add0": "inside0: teacher.freeze names it"}
