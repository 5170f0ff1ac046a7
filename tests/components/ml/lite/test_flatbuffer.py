from collections.abc import Mapping
from pathlib import Path

import pytest

from components.artifacts.lite_model import MODEL_FILE, Affine
from components.ml.lite.flatbuffer import LiteFile


def read(path: Path) -> LiteFile:
    return LiteFile.parse(path.read_bytes())


def test_the_resnet_of_mlperf_tiny(shared: Path) -> None:
    folder = shared / "data" / "models" / "mlperf_tiny"
    operators = {
        "ADD": 3, "AVERAGE_POOL_2D": 1, "CONV_2D": 9, "FULLY_CONNECTED": 1, "RESHAPE": 1,
        "SOFTMAX": 1,
    }  # fmt: skip
    floats = read(folder / "pretrainedResnet.tflite")
    assert floats.operators == operators
    assert len(floats.float_operators) == 16
    assert floats.input.dtype == floats.output.dtype == "FLOAT32"
    assert (floats.input.shape, floats.output.shape) == ((1, 32, 32, 3), (1, 10))
    assert floats.input.affine is None
    integers = read(folder / "pretrainedResnet_quant.tflite")
    assert integers.operators == operators
    assert integers.float_operators == ()
    assert integers.input.affine == Affine(1.0, -128)
    assert integers.output.affine == Affine(1 / 256, -128)
    assert {tensor.dtype for tensor in integers.weights} == {"INT8"}


def test_the_mobilenet_of_mlperf_tiny(shared: Path) -> None:
    folder = shared / "data" / "models" / "mlperf_tiny"
    floats, integers = read(folder / "vww_96_float.tflite"), read(folder / "vww_96_int8.tflite")
    assert floats.operators["DEPTHWISE_CONV_2D"] == 13
    assert integers.operators == floats.operators
    assert integers.float_operators == ()
    assert len(floats.float_operators) == 31
    assert integers.size_bytes == (folder / "vww_96_int8.tflite").stat().st_size
    elements = sum(tensor.elements for tensor in integers.weights)
    assert elements == sum(tensor.elements for tensor in floats.weights)
    assert sum(tensor.size_bytes for tensor in integers.weights) == elements
    assert sum(tensor.size_bytes for tensor in floats.weights) == 4 * elements


@pytest.mark.parametrize(
    ("scheme", "weights"),
    [("float32", {"FLOAT32"}), ("float16", {"FLOAT16"}), ("dynamic", {"FLOAT32", "INT8"}),
     ("int8", {"INT8"}), ("int8-uint8", {"INT8"})],
)  # fmt: skip
def test_weights_have_the_type_of_the_scheme(
    lite_patterns: Mapping[str, Path], scheme: str, weights: set[str]
) -> None:
    file = read(lite_patterns[scheme] / "lite" / MODEL_FILE)
    assert {tensor.dtype for tensor in file.weights} == weights


def test_only_whole_integer_files_have_no_float_operator(
    lite_patterns: Mapping[str, Path],
) -> None:
    computing = {
        name: bool(read(folder / "lite" / MODEL_FILE).float_operators)
        for name, folder in lite_patterns.items()
    }
    assert computing == {
        "float32": True, "float16": True, "dynamic": True,
        "int8": False, "int8-uint8": False, "int8-int8": False,
    }  # fmt: skip
    edges = read(lite_patterns["int8"] / "lite" / MODEL_FILE)
    assert (edges.operators["QUANTIZE"], edges.operators["DEQUANTIZE"]) == (1, 1)


def test_zeros_are_counted_in_every_type(lite_patterns: Mapping[str, Path]) -> None:
    from safetensors.numpy import load_file

    model = lite_patterns["float16"] / "model" / "weights.safetensors"
    kernels = [array for array in load_file(model).values() if array.ndim > 1]
    for scheme in ("float32", "float16", "int8"):
        file = read(lite_patterns[scheme] / "lite" / MODEL_FILE)
        assert sum(tensor.elements for tensor in file.weights) == sum(k.size for k in kernels)
        assert file.zeros >= sum(int((kernel == 0).sum()) for kernel in kernels)
        assert 0 <= file.sparsity < 0.1


def test_something_else_is_no_lite_file() -> None:
    with pytest.raises(ValueError, match=r"no \.tflite"):
        LiteFile.parse(b"\x00" * 64)
