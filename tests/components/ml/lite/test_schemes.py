"""Schemes of integers, in the file that ships: read by its schema alone, without our own reader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from tests.components.flat import quantize

TYPES = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
CODES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}
PLANS: Mapping[str, Mapping[str, Any]] = {
    "w4a8": {"scheme": "w4a8"},
    "int16x8": {"scheme": "int16x8"},
    "mixed": {"scheme": "int8", "input_type": "uint8", "float_layers": ["second", "scores"]},
    "w4a8-mixed": {
        "scheme": "w4a8", "input_type": "uint8", "output_type": "int8", "float_layers": ["second"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory, pattern_classifier: Path, pattern_data: Path
) -> Mapping[str, Path]:
    from components.convert import convert

    root = tmp_path_factory.mktemp("schemes")
    for name, plan in PLANS.items():
        quantize(pattern_classifier, pattern_data, root / name / "model", root / name / "q", **plan)
        convert(root / name / "model", root / name / "lite", root / name / "report")
    return {name: root / name for name in PLANS}


def operators(folder: Path) -> list[tuple[str, list[str], list[str]]]:
    """Name, types of the inputs and types of the outputs of every operator, in order."""
    content = (folder / "lite" / MODEL_FILE).read_bytes()
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    graph = model.subgraphs[0]
    found = []
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        name = CODES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        sides = [
            [TYPES[graph.tensors[index].type] for index in side if index >= 0]
            for side in (op.inputs, op.outputs)
        ]
        found.append((name, *sides))
    return found


def report_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report" / "conversion.json").read_bytes())


def test_w4a8_stores_weights_of_convolutions_and_dense_layers_in_four_bits(
    written: Mapping[str, Path],
) -> None:
    weights: dict[str, set[str]] = {}
    for op, inputs, outputs in operators(written["w4a8"]):
        if op in {"CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D"}:
            weights.setdefault(op, set()).add(inputs[1])
            assert (inputs[0], outputs[0]) == ("INT8", "INT8")
    assert weights == {
        "CONV_2D": {"INT4"}, "FULLY_CONNECTED": {"INT4"}, "DEPTHWISE_CONV_2D": {"INT8"}
    }  # fmt: skip
    assert report_of(written["w4a8"])["parity"]["cosine_min"] > 0.9
    assert report_of(written["w4a8"])["weights"]["INT4"]["tensors"] == 4
    first, second = [op for op in operators(written["w4a8-mixed"]) if op[0] == "CONV_2D"]
    assert (first[1][1], second[1][1]) == ("INT4", "FLOAT32")
    edges = {}
    for name in ("w4a8", "w4a8-mixed"):
        info = LiteModelInfo.read(written[name] / "lite")
        edges[name] = (info.input.dtype, info.output.dtype)
    assert edges == {"w4a8": ("float32", "float32"), "w4a8-mixed": ("uint8", "int8")}


def test_int16x8_has_activations_of_sixteen_bits(written: Mapping[str, Path]) -> None:
    found = [op for op in operators(written["int16x8"]) if op[0] not in {"QUANTIZE", "DEQUANTIZE"}]
    assert len(found) == 7
    assert all((inputs[0], outputs[0]) == ("INT16", "INT16") for _, inputs, outputs in found)
    weights = {inputs[1] for name, inputs, _ in found if name in {"CONV_2D", "FULLY_CONNECTED"}}
    assert weights == {"INT8"}
    assert report_of(written["int16x8"])["parity"]["cosine_min"] > 0.999


def test_excepted_layers_and_no_others_compute_in_float(written: Mapping[str, Path]) -> None:
    found = operators(written["mixed"])
    types = [
        (name, inputs[0], outputs[0])
        for name, inputs, outputs in found
        if name not in {"QUANTIZE", "DEQUANTIZE"}
    ]
    assert types == [
        ("CONV_2D", "INT8", "INT8"),
        ("CONV_2D", "FLOAT32", "FLOAT32"),  # second
        ("DEPTHWISE_CONV_2D", "INT8", "INT8"),
        ("MEAN", "INT8", "INT8"),
        ("FULLY_CONNECTED", "INT8", "INT8"),
        ("FULLY_CONNECTED", "FLOAT32", "FLOAT32"),  # scores
        ("SOFTMAX", "FLOAT32", "FLOAT32"),
    ]
    report = report_of(written["mixed"])
    assert report["delegate"]["partitions"] == 1
    assert {"FLOAT32", "INT8"} <= report["weights"].keys()
    assert ModelInfo.read(written["mixed"] / "model").steps[-1]["in_float"] == 2


@pytest.mark.parametrize(
    ("scheme", "bits", "said"),
    [("w4a8", (8, 8), "w4a8 with weights of"), ("int16x8", (8, 8), "activations of 8 bits")],
)
def test_a_scheme_that_is_not_carried_out_is_found(
    written: Mapping[str, Path], scheme: str, bits: tuple[int, int], said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from components.ml.formats import calibration
    from components.ml.lite import litert_schemes
    from components.ml.lite.writing import to_lite

    model = written[scheme] / "model"
    given = (model, ModelInfo.read(model), calibration.read(model))
    monkeypatch.setattr(litert_schemes, "BITS", {scheme: bits})
    with pytest.raises(AssertionError, match=said):
        to_lite(*given)


@pytest.mark.parametrize(
    ("also", "error", "said"),
    [
        (None, AssertionError, "planned in float and computed in integers"),
        ("first", UserError, r"still compute in float: first \(CONV_2D\)"),
    ],
)
def test_an_excepted_layer_that_is_quantized_and_another_that_is_not_are_found(
    written: Mapping[str, Path], also: str | None, error: type[Exception], said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from components.ml.formats import calibration
    from components.ml.lite import writing
    from components.ml.lite.flatbuffer import LiteFile
    from components.ml.lite.layers import layers_of

    real = writing.in_integers

    def other(calibrated: bytes, plan: Any, kept: frozenset[str]) -> bytes:
        if also is None:
            return real(calibrated, plan, frozenset(sorted(kept)[1:]))
        more = next(x for x in layers_of(LiteFile.parse(calibrated)) if x.name == also)
        return real(calibrated, plan, kept | {*more.outputs})

    model = written["mixed"] / "model"
    monkeypatch.setattr(writing, "in_integers", other)
    with pytest.raises(error, match=said):
        writing.to_lite(model, ModelInfo.read(model), calibration.read(model))


def test_what_a_scheme_cannot_compute_is_named_and_may_be_excepted(
    pattern_data: Path, tmp_path: Path
) -> None:
    from components.artifacts.model import Embedding, ImageInput
    from components.convert import convert
    from components.ml.formats import model_folder
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input((8, 8, 1))
    flow = layers.PReLU(shared_axes=[1, 2], name="bent")(layers.Conv2D(8, 3, name="conv")(image))
    flow = layers.Dense(4, name="embedding")(layers.GlobalAveragePooling2D(name="pool")(flow))
    info = ModelInfo("verification", ImageInput(8, 8, 1), Embedding(4), 0)
    model_folder.save(tmp_path / "model", tf_keras.Model(image, flow), info)

    def run(folder: Path, **plan: Any) -> tuple[str, ...]:
        quantize(tmp_path / "model", pattern_data, folder / "model", folder / "q", **plan)
        convert(folder / "model", folder / "lite", folder / "report")
        return LiteModelInfo.read(folder / "lite").warnings

    with pytest.raises(UserError, match=r"w4a8 and .* bent \(PRELU\)") as caught:
        run(tmp_path / "one", scheme="w4a8")
    assert "float_layers: [bent]" in caught.value.fix
    run(tmp_path / "two", scheme="w4a8", float_layers=["bent"])
    # TensorFlow's quantizer can, and then it is slow.
    assert "1 PRELU in 8 bits" in run(tmp_path / "slow", scheme="int8")[0]
    given: dict[str, Any] = {"scheme": "int8", "float_layers": ["bent", "conv"]}
    assert run(tmp_path / "first", input_type="uint8", **given) == ()
    assert operators(tmp_path / "first")[0] == ("DEQUANTIZE", ["UINT8"], ["FLOAT32"])
    kinds = {name: inputs[0] for name, inputs, _ in operators(tmp_path / "two")}
    assert (kinds["PRELU"], kinds["CONV_2D"]) == ("FLOAT32", "INT8")
    with pytest.raises(UserError, match="the model has none besides those") as caught:
        run(tmp_path / "none", scheme="w4a8", float_layers=["bent", "conv", "embedding"])
    assert caught.value.fix == "take scheme: int8"


def test_comparisons_are_of_the_layer_that_reads_them(pattern_data: Path, tmp_path: Path) -> None:
    """As in selu, which is x where x > 0: their answers are of no precision, what they read is."""
    from components.artifacts.model import Embedding, ImageInput
    from components.convert import convert
    from components.ml.formats import model_folder
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input((8, 8, 1))
    flow = layers.Activation("selu", name="bent")(layers.Conv2D(8, 3, name="conv")(image))
    flow = layers.Dense(4, name="embedding")(layers.Flatten()(flow))
    info = ModelInfo("verification", ImageInput(8, 8, 1), Embedding(4), 0)
    model_folder.save(tmp_path / "net", tf_keras.Model(image, flow), info)
    for name, plan in (("all", {}), ("excepted", {"float_layers": ["bent"]})):
        path = tmp_path / name
        path.mkdir()
        quantize(tmp_path / "net", pattern_data, path / "model", path / "q", scheme="w4a8", **plan)
    with pytest.raises(UserError, match=r"float: bent \(GREATER\); bent \(EXP\)") as caught:
        convert(tmp_path / "all" / "model", tmp_path / "all" / "lite", tmp_path / "all" / "report")
    assert "float_layers: [bent]" in caught.value.fix
    path = tmp_path / "excepted"
    convert(path / "model", path / "lite", path / "report")
    assert "GREATER" in {kind for kind, _, _ in operators(path)}


def test_files_that_are_slow_for_their_types_say_so(
    written: Mapping[str, Path], lite_patterns: Mapping[str, Path]
) -> None:
    said = {
        name: LiteModelInfo.read(written[name] / "lite").warnings for name in ("w4a8", "int16x8")
    }
    assert "2 to 4 times slower" in said["w4a8"][0]
    assert "4 bits in 2 CONV_2D" in said["w4a8"][0]
    assert "20 to 900 times slower" in said["int16x8"][0]
    assert tuple(report_of(written["int16x8"])["warnings"]) == said["int16x8"]
    assert LiteModelInfo.read(lite_patterns["int8"] / "lite").warnings == ()


def test_constants_behind_the_flatbuffer_are_taken_in(written: Mapping[str, Path]) -> None:
    from components.ml.lite.model_object import put_together, taken_apart

    content = (written["w4a8"] / "lite" / MODEL_FILE).read_bytes()
    model = taken_apart(content)
    place, outside = len(content), b""
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) > 64:
            data = bytes(np.asarray(buffer.data, np.uint8))
            buffer.offset, buffer.size = place + len(outside) + 64, len(data)
            outside, buffer.data = outside + data, None
    moved = put_together(model)
    shift = place + 64 - len(moved)
    assert shift > 0
    again = taken_apart(moved + bytes(shift) + outside)
    assert put_together(again) == put_together(taken_apart(content))
