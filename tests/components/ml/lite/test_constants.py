"""Constants of every type and layout: LiteRT itself says what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from components.ml.lite import anatomy, constants, repack
from components.ml.lite.flatbuffer import LiteFile
from tests.data.lite_files import constant_file, packed, unpacked, with_data_outside
from tests.data.tiny_lite import one_layer

SHAPE = (3, 5)


def answer_of(content: bytes) -> np.ndarray:
    interpreter: Any = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    return interpreter.get_tensor(1)


def data_of(name: str) -> bytes:
    random = np.random.default_rng(3)
    if name == "FLOAT16":
        return random.normal(size=15).astype(np.float16).tobytes()
    return random.bytes(
        {"INT2": 4, "INT4": 8, "UINT4": 8, "INT8": 15, "UINT8": 15, "INT16": 30}[name]
    )


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("name", ["INT2", "INT4", "UINT4", "INT8", "UINT8", "INT16", "FLOAT16"])
def test_a_weight_of_any_type_is_what_the_runtime_makes_of_it(name: str, *, outside: bool) -> None:
    scales = () if name == "FLOAT16" else (0.5,)
    content = constant_file(data_of(name), getattr(schema.TensorType, name), SHAPE, scales)
    content = with_data_outside(content) if outside else content
    (weight,) = LiteFile.parse(content).weights
    assert weight.constant is not None
    real = weight.constant.values.astype(np.float32) * (scales or (1,))[0]
    assert np.array_equal(answer_of(content), real)
    assert weight.dtype == name
    assert weight.zeros == int((real == 0).sum())
    assert weight.unique == len(np.unique(real))
    assert weight.unique_per_channel == tuple(len(np.unique(row)) for row in real)
    assert weight.size_bytes == len(data_of(name))
    assert weight.density == 1


@pytest.mark.parametrize("seed", range(5))
def test_many_equal_halves_are_counted_once(seed: int) -> None:
    """As numpy's own sort, which some processors do in another way, does not hold everywhere."""
    levels = np.linspace(-0.25, 0.25, 16).astype(np.float16)
    halves = np.random.default_rng(seed).choice(levels, (3, 4608))
    content = constant_file(halves.tobytes(), schema.TensorType.FLOAT16, halves.shape, ())
    (weight,) = LiteFile.parse(content).weights
    assert (weight.unique, weight.unique_per_channel) == (16, (16, 16, 16))


def test_wide_integers_are_read_and_are_weights_when_they_have_a_scale() -> None:
    numbers = np.arange(15, dtype=np.int32) - 7
    paddings = constant_file(numbers.tobytes(), schema.TensorType.INT32, SHAPE, ())
    file = LiteFile.parse(paddings)
    assert (file.weights, file.subgraphs[0].tensors[0].role) == ((), "other")
    for kind, dtype in ((np.int32, "INT32"), (np.int64, "INT64")):
        data = numbers.astype(kind).tobytes()
        content = constant_file(data, getattr(schema.TensorType, dtype), SHAPE)
        (weight,) = LiteFile.parse(content).weights
        assert weight.constant is not None
        assert np.array_equal(weight.constant.values.ravel(), numbers)
        assert (weight.zeros, weight.unique) == (1, 15)


def test_halves_of_the_other_kind_are_cut_floats() -> None:
    floats = np.array([0.0, 1.5, -2.0, 0.15625], np.float32)
    data = (floats.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    assert np.array_equal(constants.decoded(data, "BFLOAT16", 4), floats)


@pytest.mark.parametrize("name", ["FLOAT8_E4M3FN", "COMPLEX64", "VARIANT"])
def test_a_type_that_cannot_be_read_is_named(name: str) -> None:
    content = constant_file(bytes(120), getattr(schema.TensorType, name), SHAPE, ())
    with pytest.raises(ValueError, match=f"tensor given is a constant of type {name}"):
        LiteFile.parse(content)


def test_data_of_another_length_than_its_shape_is_no_constant() -> None:
    for name, size in (("INT4", 7), ("INT8", 14), ("FLOAT32", 61)):
        file = LiteFile.parse(constant_file(bytes(size), getattr(schema.TensorType, name), SHAPE))
        with pytest.raises(ValueError, match=f"{size} bytes are no 15 numbers of type {name}"):
            file.zeros  # noqa: B018


def test_places_of_data_that_are_not_known_are_named() -> None:
    content = constant_file(bytes(15), schema.TensorType.INT8, SHAPE)
    model = unpacked(content)
    model.subgraphs[0].tensors[0].externalBuffer = 1
    with pytest.raises(ValueError, match="tensor given keeps its data in another file"):
        LiteFile.parse(packed(model))
    cut = with_data_outside(content)[:-16]
    with pytest.raises(ValueError, match="a buffer lies at bytes"):
        LiteFile.parse(cut)


def test_a_reader_that_skips_data_behind_the_flatbuffer_sees_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = with_data_outside(constant_file(bytes(15), schema.TensorType.INT8, SHAPE))
    assert LiteFile.parse(content).zeros == 15
    monkeypatch.setattr(constants, "_OUTSIDE", 2**62)
    assert LiteFile.parse(content).zeros == 0


@pytest.fixture(scope="module")
def sparse_and_dense(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """One net, zeros one by one and in blocks of four, in TensorFlow's two layouts."""
    from components.ml.runtime import configure, tf

    configure(threads=2, seed=0)
    random = np.random.default_rng(0)
    blocks = np.repeat(random.random((16, 12)) < 0.2, 4, axis=1).T
    kernels = (
        random.normal(size=(1, 1, 3, 16)) * (random.random((1, 1, 3, 16)) < 0.3),
        random.normal(size=(3, 3, 16, 16)) * (random.random((3, 3, 16, 16)) < 0.2),
        random.normal(size=(48, 16)) * blocks,
    )
    one, two, three = (tf.constant(kernel, tf.float32) for kernel in kernels)

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 3), tf.float32)])
        def __call__(self, image: Any) -> Any:
            flow = tf.nn.relu(tf.nn.conv2d(image, one, 1, "SAME"))
            flow = tf.nn.conv2d(flow, two, 1, "SAME")
            return tf.matmul(tf.reshape(flow[:, :3, :1], (1, 48)), three)

    net = Net()
    files = []
    for optimizations in ([tf.lite.Optimize.EXPERIMENTAL_SPARSITY], []):
        concrete = net.__call__.get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], net)
        converter.optimizations = optimizations
        files.append(converter.convert())
    return files[0], files[1]


def test_sparse_weights_are_those_of_the_dense_file(
    sparse_and_dense: tuple[bytes, bytes],
) -> None:
    sparse, dense = (LiteFile.parse(content) for content in sparse_and_dense)
    shapes = [(16, 1, 1, 3), (16, 3, 3, 16), (16, 48)]
    by_shape = {tensor.shape: tensor for tensor in sparse.weights}
    assert sorted(by_shape) == sorted(shapes)
    for tensor in dense.weights:
        other = by_shape[tensor.shape]
        assert other.sparse
        assert not tensor.sparse
        assert tensor.constant is not None
        assert other.constant is not None
        assert np.array_equal(tensor.constant.values, other.constant.values)
        assert (other.zeros, other.unique_per_channel) == (tensor.zeros, tensor.unique_per_channel)
        assert other.density is not None
        assert other.density < 0.5
        assert other.size_bytes < tensor.size_bytes
    assert sparse.zeros == dense.zeros > 1800
    assert sparse.sparsity == dense.sparsity
    assert any(tensor.constant and tensor.constant.block_map for tensor in sparse.weights)


def test_a_sparse_weight_with_numbers_missing_is_refused(
    sparse_and_dense: tuple[bytes, bytes],
) -> None:
    model = unpacked(sparse_and_dense[0])
    tensor = next(t for t in model.subgraphs[0].tensors if t.sparsity and len(t.shape) == 4)
    buffer = model.buffers[tensor.buffer]
    buffer.data = buffer.data[:-8]
    with pytest.raises(ValueError, match="a sparse tensor"):
        LiteFile.parse(packed(model)).zeros  # noqa: B018


def test_steps_of_blocks_are_no_weights() -> None:
    content = constant_file(bytes(range(8)), schema.TensorType.INT4, (1, 16), ())
    model = unpacked(content)
    steps, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = np.ones(2, np.float16).view(np.uint8)
    model.buffers.append(buffer)
    steps.name, steps.shape, steps.type, steps.buffer = "steps", [1, 2], 1, 2
    graph = model.subgraphs[0]
    graph.tensors.append(steps)
    quantization = graph.tensors[0].quantization = schema.QuantizationParametersT()
    quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    quantization.details = schema.BlockwiseQuantizationT()
    quantization.details.scales, quantization.details.blockSize = 2, 8
    file = LiteFile.parse(packed(model))
    assert [tensor.name for tensor in file.weights] == ["given"]
    assert file.weights[0].quantization.block == 8
    assert file.subgraphs[0].tensors[2].role == "scale"
    quantization.detailsType = schema.QuantizationDetails.CustomQuantization
    quantization.details = schema.CustomQuantizationT()
    with pytest.raises(ValueError, match="tensor given has a quantization of kind Custom"):
        LiteFile.parse(packed(model))


def quantized_by(bits: int, content: bytes, path: Path) -> bytes:
    """Return what LiteRT's quantizer makes of a file: weights in integers of so many bits."""
    from litert_quantizer import qtyping, quantizer

    path.write_bytes(content)
    one = quantizer.Quantizer(str(path))
    one.update_quantization_recipe(
        regex=".*",
        operation_name=qtyping.TFLOperationName.FULLY_CONNECTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(
                num_bits=bits, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
            ),
            compute_precision=qtyping.ComputePrecision.INTEGER,
        ),
    )
    return bytes(one.quantize().quantized_model)


@pytest.mark.parametrize("bits", [4, 8])
def test_what_the_quantizer_of_litert_writes_is_seen(tmp_path: Path, bits: int) -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(300, 40 * 64)).astype(np.float32)
    weights[:, ::2] = 0
    content = quantized_by(bits, one_layer(weights, (40, 64, 1)), tmp_path / "float.tflite")
    model: Any = schema.Model.GetRootAs(content, 0)
    outside = [n for n in range(model.BuffersLength()) if model.Buffers(n).Offset() > 1]
    assert outside, "as large as this it keeps weights behind the flatbuffer"
    (weight,) = LiteFile.parse(content).weights
    assert (weight.dtype, weight.shape) == (f"INT{bits}", weights.shape)
    assert weight.size_bytes == weights.size * bits // 8
    assert weight.zeros is not None
    assert weight.zeros >= weights.size // 2
    assert weight.unique_per_channel is not None
    assert 8 < max(weight.unique_per_channel) <= 2**bits - 1
    assert weight.constant is not None
    real = weight.constant.values * np.reshape(weight.scales, (-1, 1))
    assert np.abs(real - weights).max() <= max(weight.scales) / 2 + 1e-6
    done = repack.repack(content)
    assert done.kept is None
    assert LiteFile.parse(done.content).zeros == weight.zeros
    assert sum(anatomy.anatomy(content).to_json().values()) == len(content)
    assert anatomy.anatomy(content).weights == weight.size_bytes
