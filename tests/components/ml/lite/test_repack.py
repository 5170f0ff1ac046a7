"""Repacked files answer the same, bit for bit, on the same partitions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from components.devices.delegates import Delegation
from components.ml.lite import appended, repack
from components.ml.lite.flatbuffer import LiteFile
from tests.data.lite_files import packed, unpacked, with_data_outside
from tests.data.tiny_lite import one_layer

SCHEMES = ("float32", "float16", "dynamic", "int8", "int8-uint8", "int8-int8")


def run(content: bytes) -> tuple[np.ndarray, Delegation, dict[str, Any]]:
    """Return the answers to 20 images, how the runtime divided the file, and its signatures."""
    interpreter: Any = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    random, rows = np.random.default_rng(0), []
    for _ in range(20):
        image = random.normal(size=given["shape"]).astype(np.float32)
        if given["dtype"] != np.float32:
            image = random.integers(*_limits(given["dtype"]), given["shape"], given["dtype"])
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"]).copy())
    return np.stack(rows), Delegation.of(interpreter), interpreter.get_signature_list()


def _limits(dtype: Any) -> tuple[int, int]:
    return np.iinfo(dtype).min, np.iinfo(dtype).max


@pytest.fixture(scope="module")
def written(lite_patterns: Mapping[str, Path], pattern_classifier: Path) -> Mapping[str, bytes]:
    """The classifier in every scheme as the converter writes it, before anything is repacked."""
    from components.artifacts.model import ModelInfo
    from components.ml.formats import calibration
    from components.ml.lite.writing import to_lite

    found = {}
    for name, folder in lite_patterns.items():
        model = pattern_classifier if name == "float32" else folder / "model"
        info = ModelInfo.read(model)
        found[name] = to_lite(model, info, calibration.read(model))
    return found


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_answers_and_partitions_stay_and_bytes_go(
    written: Mapping[str, bytes], scheme: str, *, outside: bool
) -> None:
    content = with_data_outside(written[scheme]) if outside else written[scheme]
    done = repack.repack(content)
    assert done.kept is None
    assert done.before_bytes == len(content)
    assert len(done.content) < 0.97 * len(content)
    before, after = run(content), run(done.content)
    assert np.array_equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert after[2]["serving_default"]["inputs"] == ["image"]
    assert repack.repack(done.content).content == done.content
    assert repack.repack(written[scheme]).content == done.content
    one, other = LiteFile.parse(content), LiteFile.parse(done.content)
    assert (one.operators, one.zeros) == (other.operators, other.zeros)
    assert [t.quantization for t in one.weights] == [t.quantization for t in other.weights]
    assert {tensor.name for tensor in other.subgraphs[0].tensors} == {""}


def test_an_int8_file_loses_its_zero_points_above_all(written: Mapping[str, bytes]) -> None:
    assert len(repack.repack(written["int8"]).content) < 0.8 * len(written["int8"])


@pytest.mark.parametrize(
    ("name", "most"), [("pretrainedResnet_quant", 86_500), ("vww_96_int8", 254_000)]
)
def test_the_files_of_mlperf_tiny_answer_the_same(shared: Path, name: str, most: int) -> None:
    content = (shared / "data" / "models" / "mlperf_tiny" / f"{name}.tflite").read_bytes()
    done = repack.repack(content)
    assert done.kept is None
    assert len(done.content) < most
    before, after = run(content), run(done.content)
    assert np.array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_ends_keep_their_names_where_no_signature_has_them() -> None:
    content = one_layer(np.eye(4, 64, dtype=np.float32), (8, 8, 1))
    file = LiteFile.parse(repack.repack(content).content)
    assert [tensor.name for tensor in file.subgraphs[0].tensors] == ["image", "", "answer"]


def test_equal_options_of_operators_share_one_place(written: Mapping[str, bytes]) -> None:
    def places(content: bytes) -> list[int]:
        graph: Any = schema.Model.GetRootAs(content, 0)
        graph = graph.Subgraphs(0)
        operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
        options = [op.BuiltinOptions() for op in operators]
        return [table.Pos for table in options if table is not None]

    before, after = places(written["float16"]), places(repack.repack(written["float16"]).content)
    assert len(before) == len(after)
    assert len(set(after)) < len(set(before))


def test_data_begins_where_vector_instructions_like_it(written: Mapping[str, bytes]) -> None:
    content = repack.repack(written["int8"]).content
    base = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    model: Any = schema.Model.GetRootAs(content, 0)
    data = [model.Buffers(i).DataAsNumpy() for i in range(1, model.BuffersLength())]
    assert len(data) > 8
    places = {(one.__array_interface__["data"][0] - base) % 16 for one in data}
    assert places == {0}


def test_metadata_that_somebody_reads_is_kept(written: Mapping[str, bytes]) -> None:
    model = unpacked(written["float16"])
    names = {entry.name for entry in model.metadata}
    assert names == {b"min_runtime_version", b"reduced_precision_support"}
    for name in (b"TFLITE_METADATA", b"somebodys"):
        entry, buffer = schema.MetadataT(), schema.BufferT()
        entry.name, entry.buffer, buffer.data = name, len(model.buffers), np.arange(9, dtype="u1")
        model.buffers.append(buffer)
        model.metadata.append(entry)
    content = appended.with_files(packed(model), {"labels.txt": b"one\ntwo"})
    done = repack.repack(content)
    assert done.kept is None
    assert dict(LiteFile.parse(done.content).metadata) == {
        "reduced_precision_support": 11, "TFLITE_METADATA": 9, "somebodys": 9,
    }  # fmt: skip
    assert appended.files_of(done.content) == {"labels.txt": b"one\ntwo"}
    assert np.array_equal(run(done.content)[0], run(content)[0])
    assert repack.repack(done.content).content == done.content


def test_what_cannot_be_carried_over_keeps_its_bytes_and_says_why() -> None:
    content = one_layer(np.eye(4, 64, dtype=np.float32), (8, 8, 1))
    elsewhere = unpacked(content)
    elsewhere.externalBuffers = [schema.ExternalBufferT()]
    custom = unpacked(content)
    custom.subgraphs[0].operators[0].largeCustomOptionsOffset = 5000
    options = unpacked(content)
    options.subgraphs[0].operators[0].builtinOptionsType = 251
    options.subgraphs[0].operators[0].builtinOptions = schema.Conv2DOptionsT()
    for model, reason in (
        (elsewhere, "weights lie in another file"),
        (custom, "options of a custom operator"),
        (options, "options that the schema at hand does not know"),
    ):
        given = packed(model)
        done = repack.repack(given)
        assert done.content == given
        assert done.kept is not None
        assert reason in done.kept
        assert done.to_json()["kept"] == done.kept


def test_a_field_that_the_schema_does_not_know_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = one_layer(np.eye(4, 64, dtype=np.float32), (8, 8, 1))
    assert repack.repack(content).kept is None
    # A schema of the past, that knew fewer fields of a tensor than this file has.
    monkeypatch.setattr(schema, "TensorStart", lambda builder: builder.StartObject(2))
    done = repack.repack(content)
    assert done.content == content
    assert done.kept is not None
    assert "Tensor has fields that the schema at hand does not know" in done.kept


@pytest.mark.parametrize("broken", ["a weight dropped", "vectors mixed up"])
def test_a_repack_that_loses_something_stops(
    written: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    create = flatbuffers_create()
    if broken == "vectors mixed up":
        sizes: dict[int, int] = {}

        def mixed(self: Any, x: np.ndarray) -> int:
            return sizes.setdefault(x.nbytes, create(self, x))

        monkeypatch.setattr(repack._Sharing, "CreateNumpyVector", mixed)
    else:
        monkeypatch.setattr(
            repack._Sharing, "CreateNumpyVector", lambda self, x: create(self, x[: x.size // 2])
        )
    with pytest.raises(AssertionError, match="packing lost something"):
        repack.repack(written["int8"])


def flatbuffers_create() -> Any:
    import flatbuffers

    return flatbuffers.Builder.CreateNumpyVector


def test_a_repack_that_skips_data_behind_the_flatbuffer_changes_answers(
    written: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = with_data_outside(written["int8"])
    monkeypatch.setattr(repack, "bytes_of", lambda content, buffer: None)
    done = repack.repack(content)
    assert LiteFile.parse(done.content).weights == ()
    with pytest.raises(RuntimeError):
        run(done.content)
