"""Warnings of files: what is advised helps the file that it is said of."""

import numpy as np
import pytest

from components.ml.lite.constants import Constant
from components.ml.lite.flatbuffer import LiteFile, Operator, Subgraph
from components.ml.lite.tensors import Quantization, Tensor
from components.ml.lite.warnings import warnings_of


def written(*kernels: tuple[int, int], dtype: str = "INT4") -> LiteFile:
    """A file of convolutions with kernels of these heights and widths, 8 channels to 8."""
    tensors = [Tensor("image", "INT8", (1, 8, 8, 8), Quantization())]
    operators: list[Operator] = []
    for place, (height, width) in enumerate(kernels):
        shape = (8, height, width, 8)
        held = Constant(dtype, shape, np.zeros(int(np.prod(shape)) // 2, np.uint8))
        tensors.append(Tensor(f"kernel{place}", dtype, shape, Quantization(), held, "weight"))
        tensors.append(Tensor(f"map{place}", "INT8", (1, 8, 8, 8), Quantization()))
        operators.append(Operator("CONV_2D", (2 * place, 2 * place + 1, -1), (2 * place + 2,)))
    graph = Subgraph(tuple(tensors), tuple(operators), (0,), (len(tensors) - 1,))
    return LiteFile((graph,), {}, 1000)


@pytest.mark.parametrize(
    ("kernels", "advice"),
    [
        (((3, 3), (3, 3)), "None of them is of 1x1, which pointwise: dense could make fast"),
        (((3, 3), (1, 1), (1, 1)), "With pointwise: dense for the backbone, the 2 of 1x1 become"),
        (((1, 3), (3, 1)), "None of them is of 1x1"),
    ],
)
def test_dense_layers_are_advised_only_where_convolutions_are_of_1x1(
    kernels: tuple[tuple[int, int], ...], advice: str
) -> None:
    (said,) = warnings_of(written(*kernels), None)
    assert said.startswith(f"weights of 4 bits in {len(kernels)} CONV_2D")
    assert advice in said


def test_nothing_is_said_of_8_bits() -> None:
    assert list(warnings_of(written((3, 3), dtype="INT8"), None)) == []
