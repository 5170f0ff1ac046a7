"""Layers of a float file under their Keras names."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts.model import ModelInfo, QuantizationPlan
from components.contract.errors import UserError
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.layers import LiteLayer, excepted, layers_of

NAMES = ["first", "second", "depthwise", "pool", "embedding", "scores"]


@pytest.fixture(scope="module")
def layers(pattern_classifier: Path) -> tuple[LiteLayer, ...]:
    from components.ml.lite.writing import to_lite

    content = to_lite(pattern_classifier, ModelInfo.read(pattern_classifier), None)
    return layers_of(LiteFile.parse(content))


def test_layers_have_the_names_of_the_network_in_the_order_they_run(
    layers: tuple[LiteLayer, ...],
) -> None:
    assert [layer.name for layer in layers] == NAMES
    by_name = {layer.name: layer for layer in layers}
    assert by_name["second"].aliases == {"second", "second_norm", "second_relu"}
    assert by_name["second"].operators == ("CONV_2D",)
    assert by_name["second"].weights == 9 * 12 * 24 + 24
    assert by_name["scores"].operators == ("FULLY_CONNECTED", "SOFTMAX")
    assert "output" in by_name["scores"].aliases
    assert by_name["pool"].weights == 0


def test_a_layer_is_found_by_what_was_fused_into_it(layers: tuple[LiteLayer, ...]) -> None:
    plan = QuantizationPlan("int8", float_layers=("second_norm", "output"))
    assert [layer.name for layer in excepted(layers, plan, where="x")] == ["second", "scores"]
    assert excepted(layers, QuantizationPlan("int8"), where="x") == ()


def test_a_name_that_is_none_is_told_with_the_nearest(layers: tuple[LiteLayer, ...]) -> None:
    plan = QuantizationPlan("int8", float_layers=("embeding",))
    with pytest.raises(UserError, match="no layer 'embeding'") as caught:
        excepted(layers, plan, where="quantize")
    assert "did you mean 'embedding'?" in caught.value.fix
    excepted(layers, QuantizationPlan("int8", float_layers=("embedding",)), where="quantize")


def test_the_layer_of_the_output_is_not_rounded_again(layers: tuple[LiteLayer, ...]) -> None:
    plan = QuantizationPlan("int8", "uint8", "uint8", ("scores",))
    with pytest.raises(UserError, match="output_type uint8 rounds it") as caught:
        excepted(layers, plan, where="quantize")
    assert "leave output_type away" in caught.value.fix
    excepted(layers, QuantizationPlan("int8", "uint8", float_layers=("scores",)), where="x")
