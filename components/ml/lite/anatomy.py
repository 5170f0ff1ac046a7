"""Anatomy: what the bytes of a ``.tflite`` are there for, each counted once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.ml.lite import appended
from components.ml.lite.constants import bytes_of, sparse_indices
from components.ml.lite.flatbuffer import LiteFile

_LENGTH_BYTES = 4
"""Before every vector stands how long it is."""

_FIRST, _SIGNATURE_KEY, _TENSOR_NAME, _DESCRIPTION, _GRAPH_NAME = 4, 8, 10, 10, 12
"""Slots of texts in the tables of the schema."""

_PARTS = {"weight": "weights", "bias": "biases", "scale": "scales"}


@dataclass(frozen=True)
class Anatomy:
    """Bytes by what they are there for; they add up to the file's length.

    What several tensors share is counted once. A vector counts with the four bytes of its length.

    Attributes:
        weights: Trained numbers of two dimensions and more; of sparse ones their places, too.
        biases: What operators add to each channel.
        scales: Quantization steps.
        zero_points: The integers that stand for 0.0.
        names: Of tensors, graphs and signatures, and the description.
        metadata: Entries with their names, and the files behind the flatbuffer.
        rest: Other constants such as shapes, tables, index lists, padding.
    """

    weights: int
    biases: int
    scales: int
    zero_points: int
    names: int
    metadata: int
    rest: int

    def to_json(self) -> dict[str, int]:
        """Return the bytes by part."""
        return asdict(self)


def anatomy(content: bytes) -> Anatomy:
    """Divide a file into its parts.

    Args:
        content: The bytes of a ``.tflite``.

    Raises:
        ValueError: It is none, or holds something that cannot be read.
        AssertionError: Two parts overlap, or reach beyond the file.
    """
    found: dict[tuple[int, int], str] = {}
    for part, begin, end in _spans(content):
        found.setdefault((begin, end), part)
    spans = sorted(found)
    for (_, end), (begin, _) in itertools.pairwise(spans):
        assert end <= begin, f"parts of the file overlap at byte {begin}"
    assert not spans or spans[-1][1] <= len(content), "a part reaches beyond the file"
    parts = dict.fromkeys((field.name for field in fields(Anatomy)), 0)
    for begin, end in spans:
        parts[found[begin, end]] += end - begin
    parts["rest"] = len(content) - sum(parts.values())
    return Anatomy(**parts)


def _spans(content: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield the name of a part, where a piece of it begins and where it ends."""
    file = LiteFile.parse(content)
    model: Any = schema.Model.GetRootAs(content, 0)
    place = _Spans(content)
    for number, graph in enumerate(file.subgraphs):
        given = model.Subgraphs(number)
        yield from place.text("names", given, _GRAPH_NAME)
        for index, tensor in enumerate(graph.tensors):
            one = given.Tensors(index)
            yield from place.text("names", one, _TENSOR_NAME)
            if tensor.role in _PARTS:
                yield from place.data(_PARTS[tensor.role], model.Buffers(one.Buffer()))
            for values in sparse_indices(one.Sparsity()):
                yield from place.vector("weights", values)
            steps = one.Quantization()
            if steps is not None:
                yield from place.vector("scales", steps.ScaleAsNumpy())
                yield from place.vector("zero_points", steps.ZeroPointAsNumpy())
    yield from place.text("names", model, _DESCRIPTION)
    for signature in (model.SignatureDefs(i) for i in range(model.SignatureDefsLength())):
        yield from place.text("names", signature, _SIGNATURE_KEY)
        ends = [signature.Inputs(i) for i in range(signature.InputsLength())]
        ends += [signature.Outputs(i) for i in range(signature.OutputsLength())]
        for end in ends:
            yield from place.text("names", end, _FIRST)
    for entry in (model.Metadata(i) for i in range(model.MetadataLength())):
        yield from place.text("metadata", entry, _FIRST)
        yield from place.data("metadata", model.Buffers(entry.Buffer()))
    if begin := appended.begin_of(content):
        yield "metadata", begin, len(content)


class _Spans:
    """Finds where in a file a vector lies."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._begin = _address(np.frombuffer(content, np.uint8))

    def vector(self, part: str, values: Any) -> Iterator[tuple[str, int, int]]:
        """Yield the span of a vector of the flatbuffer, if it is there."""
        if isinstance(values, np.ndarray) and values.size:
            begin = _address(values) - self._begin
            yield part, begin - _LENGTH_BYTES, begin + values.nbytes

    def data(self, part: str, buffer: Any) -> Iterator[tuple[str, int, int]]:
        """Yield the span of a buffer's data, inside the flatbuffer or behind it."""
        values = bytes_of(self._content, buffer)
        if values is not None:
            begin = _address(values) - self._begin
            inside = buffer.DataLength() > 0
            yield part, begin - _LENGTH_BYTES * inside, begin + values.nbytes

    def text(self, part: str, table: Any, slot: int) -> Iterator[tuple[str, int, int]]:
        """Yield the span of a text, which ends with a zero byte.

        Args:
            part: What it counts as.
            table: The table that has it.
            slot: Of the field in the table: 4 for the first field, 6 for the second.
        """
        inner = table._tab  # noqa: SLF001 the reader hands out copies of texts
        if offset := inner.Offset(slot):
            begin = inner.Indirect(inner.Pos + offset)
            length = inner.Get(flatbuffers.number_types.UOffsetTFlags, begin)
            yield part, begin, begin + _LENGTH_BYTES + length + 1


def _address(values: np.ndarray) -> int:
    return int(values.__array_interface__["data"][0])
