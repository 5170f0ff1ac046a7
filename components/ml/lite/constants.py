"""Constants of a ``.tflite``: their bytes, wherever they lie, and the numbers they stand for.

A type or a layout that is not known is an error that names it: nothing counts as empty because it
was not understood.

References:
    https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_NUMPY: Mapping[str, type[np.generic]] = {
    "FLOAT64": np.float64, "FLOAT32": np.float32, "FLOAT16": np.float16,
    "INT64": np.int64, "INT32": np.int32, "INT16": np.int16, "INT8": np.int8,
    "UINT64": np.uint64, "UINT32": np.uint32, "UINT16": np.uint16, "UINT8": np.uint8,
    "BOOL": np.bool_,
}  # fmt: skip
_PACKED: Mapping[str, tuple[int, bool]] = {
    "INT4": (4, True),
    "UINT4": (4, False),
    "INT2": (2, True),
}
"""Bits of a number, and whether it has a sign; the first number lies in the lowest bits."""
READABLE = frozenset({*_NUMPY, *_PACKED, "BFLOAT16"})
"""Types whose numbers can be read."""

_SEGMENTS = {
    schema.SparseIndexVector.Int32Vector: schema.Int32Vector,
    schema.SparseIndexVector.Uint16Vector: schema.Uint16Vector,
    schema.SparseIndexVector.Uint8Vector: schema.Uint8Vector,
}
_OUTSIDE = 1
"""Offsets above this one say that a buffer's data lies behind the flatbuffer."""


@dataclass(frozen=True)
class SparseLevel:
    """One level of a sparse layout, from the outermost to the innermost.

    Attributes:
        dimension: Which one it runs through; those of blocks come after those of the tensor.
        size: Count of positions of a dense level; 0 for a sparse one.
        segments: Of a sparse level where each parent's entries begin, one more than parents.
        indices: Of a sparse level the position of each entry.
    """

    dimension: int
    size: int
    segments: np.ndarray | None
    indices: np.ndarray | None


@dataclass(frozen=True)
class Constant:
    """The data of one tensor.

    Attributes:
        dtype: Name in the schema.
        shape: Of the tensor, dense.
        data: The bytes as they lie in the file.
        levels: The layout of a sparse tensor; empty for a dense one.
        block_map: Of a sparse tensor with blocks the dimension that each block divides.
    """

    dtype: str
    shape: tuple[int, ...]
    data: np.ndarray
    levels: tuple[SparseLevel, ...] = ()
    block_map: tuple[int, ...] = ()

    @property
    def stored(self) -> int:
        """Count of numbers in the file: fewer than the shape has where the layout is sparse."""
        return len(self._stored) if self.levels else int(np.prod(self.shape))

    @property
    def _stored(self) -> np.ndarray:
        count = None if self.levels else int(np.prod(self.shape))
        return decoded(self.data, self.dtype, count)

    @cached_property
    def values(self) -> np.ndarray:
        """The numbers in the tensor's own shape, integers as they are; sparse ones filled up.

        Raises:
            ValueError: The type is not known, or the data has another length than the shape.
        """
        return self._filled(self._stored) if self.levels else self._stored.reshape(self.shape)

    def _filled(self, stored_n: np.ndarray) -> np.ndarray:
        """Put the stored numbers where the levels say, and 0 everywhere else."""
        places_nl = np.zeros((1, 0), np.int64)
        for level in self.levels:
            if level.segments is None or level.indices is None:
                steps_n = np.tile(np.arange(level.size), len(places_nl))
                counts_n = np.full(len(places_nl), level.size)
            else:
                steps_n, counts_n = level.indices, np.diff(level.segments)
            places_nl = np.column_stack([np.repeat(places_nl, counts_n, axis=0), steps_n])
        if len(places_nl) > len(stored_n):
            raise ValueError(
                f"a sparse tensor {self.shape} has places for {len(places_nl)} numbers and holds "
                f"{len(stored_n)}"
            )
        column = {level.dimension: index for index, level in enumerate(self.levels)}
        size = {level.dimension: level.size for level in self.levels}
        where = [places_nl[:, column[axis]] for axis in range(len(self.shape))]
        for block, axis in enumerate(self.block_map, start=len(self.shape)):
            where[axis] = where[axis] * size[block] + places_nl[:, column[block]]
        dense = np.zeros(self.shape, stored_n.dtype)
        dense[tuple(where)] = stored_n[: len(places_nl)]
        return dense


def decoded(data: np.ndarray, dtype: str, count: int | None) -> np.ndarray:
    """Return the numbers in ``data``.

    Args:
        data: Bytes.
        dtype: Name of the type in the schema.
        count: How many there have to be; None for as many as there are.

    Raises:
        ValueError: The type is not known, or the length does not fit.
    """
    if dtype in _PACKED:
        bits, signed = _PACKED[dtype]
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        values = ((data[:, None] >> shifts) & (2**bits - 1)).reshape(-1).astype(np.int8)
        if signed:
            values[values >= 2 ** (bits - 1)] -= 2**bits
        expected = None if count is None else -(-count * bits // 8)
        whole = len(data) if expected is None else expected
        fits, values = len(data) == whole, values[:count]
    elif dtype == "BFLOAT16":
        values = (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        fits = count in {None, len(values)}
    elif dtype in _NUMPY:
        kind = np.dtype(_NUMPY[dtype])
        values = data[: len(data) // kind.itemsize * kind.itemsize].view(kind)
        fits = len(data) % kind.itemsize == 0 and count in {None, len(values)}
    else:
        raise ValueError(f"constants of type {dtype} cannot be read")
    if not fits:
        raise ValueError(f"{len(data)} bytes are no {count} numbers of type {dtype}")
    return values


def bytes_of(content: bytes, buffer: Any) -> np.ndarray | None:
    """Return the data of a buffer, inside the flatbuffer or behind it; None where it has none.

    Args:
        content: The whole file.
        buffer: ``schema.Buffer``.

    Raises:
        ValueError: It points beyond the end of the file.
    """
    begin, size = buffer.Offset(), buffer.Size()
    if begin > _OUTSIDE:
        if begin + size > len(content):
            raise ValueError(
                f"a buffer lies at bytes {begin} to {begin + size} of a file of {len(content)}"
            )
        return np.frombuffer(content, np.uint8, size, begin)
    return buffer.DataAsNumpy() if buffer.DataLength() else None


def constant_of(content: bytes, model: Any, tensor: Any, dtype: str) -> Constant | None:
    """Return the data of a tensor, or None where it is computed.

    Args:
        content: The whole file.
        model: ``schema.Model``.
        tensor: ``schema.Tensor``.
        dtype: Name of its type.

    Raises:
        ValueError: The data is kept in a way that is not known.
    """
    name = (tensor.Name() or b"").decode()
    if tensor.ExternalBuffer():
        raise ValueError(f"tensor {name} keeps its data in another file, which cannot be read")
    data = bytes_of(content, model.Buffers(tensor.Buffer()))
    if data is None:
        return None
    shape = tuple(int(side) for side in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    sparsity = tensor.Sparsity()
    if sparsity is None:
        return Constant(dtype, shape, data)
    order = sparsity.TraversalOrderAsNumpy()
    levels = tuple(
        _level(sparsity.DimMetadata(index), int(dimension)) for index, dimension in enumerate(order)
    )
    blocks = sparsity.BlockMapAsNumpy() if sparsity.BlockMapLength() else ()
    return Constant(dtype, shape, data, levels, tuple(int(axis) for axis in blocks))


def sparse_indices(sparsity: Any) -> Iterator[np.ndarray]:
    """Yield the vectors that say where the numbers of a sparse tensor belong; none of a dense one.

    Args:
        sparsity: ``schema.SparsityParameters``, or None.

    Raises:
        ValueError: Their type is not known.
    """
    if sparsity is None:
        return
    for number in range(sparsity.DimMetadataLength()):
        metadata = sparsity.DimMetadata(number)
        if metadata.Format() != schema.DimensionType.DENSE:
            yield _indices(metadata.ArraySegmentsType(), metadata.ArraySegments())
            yield _indices(metadata.ArrayIndicesType(), metadata.ArrayIndices())


def _level(metadata: Any, dimension: int) -> SparseLevel:
    if metadata.Format() == schema.DimensionType.DENSE:
        return SparseLevel(dimension, metadata.DenseSize(), None, None)
    return SparseLevel(
        dimension,
        0,
        _indices(metadata.ArraySegmentsType(), metadata.ArraySegments()).astype(np.int64),
        _indices(metadata.ArrayIndicesType(), metadata.ArrayIndices()).astype(np.int64),
    )


def _indices(kind: int, table: Any) -> np.ndarray:
    if kind not in _SEGMENTS:
        raise ValueError(f"indices of a sparse tensor have the type {kind}, which is not known")
    vector: Any = _SEGMENTS[kind]()
    vector.Init(table.Bytes, table.Pos)
    return vector.ValuesAsNumpy() if vector.ValuesLength() else np.zeros(0, np.int32)
