"""Repacking: the same ``.tflite`` in fewer bytes, without another bit in any answer.

Equal vectors (zero points, shapes, steps, index lists, weights) and equal options of operators
share one place, which the format allows; names of tensors, descriptions, ranges of the training and
metadata that no runtime reads are left out. Types, shapes, steps and zero points, operators,
signatures and the metadata of apps stay.

References:
    https://flatbuffers.dev/internals/ (offsets may point to shared data)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.ml.lite import appended
from components.ml.lite.constants import bytes_of
from components.ml.lite.flatbuffer import IDENTIFIER
from components.ml.lite.tensors import names_of

DROPPED_METADATA = frozenset({b"min_runtime_version", b"CONVERSION_METADATA"})
"""Entries that tell people something; all others, such as reduced_precision_support, which lets a
delegate compute in 16 bits, are kept."""

ALIGNMENT = 16
"""Data of buffers begins at multiples of so many bytes: what the schema asks for and vector
instructions like. Packers written in Python, TensorFlow's own included, keep to 4 alone."""

_LARGEST = 2**31 - 1
"""Bytes of a flatbuffer."""

_SOFFSET, _VOFFSET = flatbuffers.packer.soffset, flatbuffers.packer.voffset

_OPTIONS = names_of(schema.BuiltinOptions)
_OPTIONS_2 = names_of(schema.BuiltinOptions2)


@dataclass(frozen=True)
class Repacked:
    """What became of a file.

    Attributes:
        content: The bytes to use.
        before_bytes: Length of the file that was given.
        kept: Why ``content`` is that file unchanged; None where it was repacked.
    """

    content: bytes
    before_bytes: int
    kept: str | None

    def to_json(self) -> dict[str, object]:
        """Return what the report of a conversion says."""
        return {
            "before_bytes": self.before_bytes,
            "after_bytes": len(self.content),
            "kept": self.kept,
        }


def unchanged(content: bytes, reason: str = "it was not asked for") -> Repacked:
    """Return a file as it is, and why."""
    return Repacked(content, len(content), reason)


def repack(content: bytes) -> Repacked:
    """Write a ``.tflite`` anew; the same file gives the same bytes, and twice is once.

    Args:
        content: The file. Data that lies behind its flatbuffer is taken into it.

    Returns:
        The smaller file; the one that was given, with the reason, where it holds something that
        cannot be carried over or would not become smaller.
    """
    before = len(content)
    if reason := obstacle(content):
        return unchanged(content, reason)
    model = model_of(content)
    _strip(model)
    _compact(model)
    done = packed(model, _Sharing())
    if files := appended.files_of(content):
        done = appended.with_files(done, files)
    if len(done) >= before and done != content:
        return unchanged(content, "it would not become smaller")
    return Repacked(done, before, None)


def obstacle(content: bytes) -> str | None:
    """Return why a file cannot be carried over as it is, or None."""
    model = schema.Model.GetRootAs(content, 0)
    if model.ExternalBuffersLength() or model.ExternalBufferGroupsLength():
        return "its weights lie in another file"
    if len(content) > _LARGEST:
        return f"it is larger than a flatbuffer can be, {_LARGEST} bytes"
    for table, known in _tables(model):
        slots = table._tab.Get(flatbuffers.number_types.VOffsetTFlags, _vtable(table))  # noqa: SLF001
        if (slots - 4) // 2 > known:
            return f"{type(table).__name__} has fields that the schema at hand does not know"
        if isinstance(table, schema.Operator) and (reason := _unknown_operator(table)):
            return reason
    return None


def _unknown_operator(operator: Any) -> str | None:
    if operator.LargeCustomOptionsOffset():
        return "options of a custom operator lie behind its flatbuffer"
    kinds = (operator.BuiltinOptionsType(), operator.BuiltinOptions2Type())
    if kinds[0] not in _OPTIONS or kinds[1] not in _OPTIONS_2:
        return "an operator has options that the schema at hand does not know"
    return None


def _vtable(table: Any) -> int:
    place = table._tab  # noqa: SLF001
    return place.Pos - place.Get(flatbuffers.number_types.SOffsetTFlags, place.Pos)


def _tables(model: Any) -> Iterator[tuple[Any, int]]:
    """Yield the tables of a file, each with the number of fields that the schema gives it."""
    found = [model]
    found += [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    found += [model.Buffers(i) for i in range(model.BuffersLength())]
    found += [model.Metadata(i) for i in range(model.MetadataLength())]
    found += [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
    for subgraph in (model.Subgraphs(i) for i in range(model.SubgraphsLength())):
        tensors = [subgraph.Tensors(i) for i in range(subgraph.TensorsLength())]
        operators = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
        quantized = (tensor.Quantization() for tensor in tensors)
        sparse = (tensor.Sparsity() for tensor in tensors)
        found += [subgraph, *tensors, *operators, *filter(None, quantized), *filter(None, sparse)]
        for op in operators:
            found += _options(_OPTIONS, op.BuiltinOptionsType(), op.BuiltinOptions())
            found += _options(_OPTIONS_2, op.BuiltinOptions2Type(), op.BuiltinOptions2())
    for table in found:
        counter = _SlotCounter()
        getattr(schema, f"{type(table).__name__}Start")(counter)
        yield table, counter.slots


class _SlotCounter:
    """Stands in for a builder: how many fields does the schema give a table?"""

    slots = 0

    def StartObject(self, slots: int) -> None:  # noqa: N802 the builder's own name
        self.slots = slots


def _options(names: Mapping[int, str], kind: int, table: Any) -> list[Any]:
    """Return the options of an operator, if there are any whose name the schema knows."""
    if not kind or table is None or kind not in names:
        return []
    options = getattr(schema, names[kind])()
    options.Init(table.Bytes, table.Pos)
    return [options]


def model_of(content: bytes) -> Any:
    """Return the objects of a file, with the data of every buffer in them.

    Args:
        content: A ``.tflite``, whose data may lie behind the flatbuffer.

    Returns:
        ``schema.ModelT``.
    """
    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    given = schema.Model.GetRootAs(content, 0)
    for number, buffer in enumerate(model.buffers):
        buffer.data = bytes_of(content, given.Buffers(number))
        buffer.offset = buffer.size = 0
    return model


def _strip(model: Any) -> None:
    """Leave out what no runtime reads."""
    model.description = None
    model.metadata = [m for m in model.metadata or [] if m.name not in DROPPED_METADATA] or None
    model.metadataBuffer = None  # an older form of the same
    for graph in model.subgraphs:
        graph.name = None
        # Without a signature apps find the ends of the model by the names of their tensors.
        ends = set() if model.signatureDefs else {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            if index not in ends:
                tensor.name = None
            if tensor.quantization is not None:
                # The schema has them "for importing back into TensorFlow".
                tensor.quantization.min = tensor.quantization.max = None
                if same(tensor.quantization, schema.QuantizationParametersT()):
                    tensor.quantization = None


def _compact(model: Any) -> None:
    """Keep the buffers that something refers to; what has no data refers to buffer 0."""
    kept, numbers = [schema.BufferT()], {}
    users = [t for graph in model.subgraphs for t in graph.tensors] + (model.metadata or [])
    for user in users:
        old = user.buffer
        if old not in numbers:
            data = model.buffers[old].data
            numbers[old] = 0 if data is None else len(kept)
            if data is not None:
                kept.append(model.buffers[old])
        user.buffer = numbers[old]
    model.buffers = kept


class _Aligning(flatbuffers.Builder):
    """A builder that lets the data of buffers begin where the schema asks for."""

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802 the builder's own name
        if x.dtype == np.uint8:  # data of buffers, and options of custom operators
            self.Prep(ALIGNMENT, x.size)
        return super().CreateNumpyVector(x)


class _Sharing(_Aligning):
    """A builder that writes equal vectors once, and equal tables that refer to nothing."""

    def __init__(self) -> None:
        super().__init__(1024)
        self._written: dict[tuple[str, bytes], int] = {}
        self._tables: dict[tuple[bytes, bytes], int] = {}
        self._before, self._refers = 0, False

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802 the builder's own name
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def StartObject(self, numfields: int) -> None:  # noqa: N802
        # Counted from the end: the builder moves what is written when it needs more room.
        self._before, self._refers = self.Offset(), False
        super().StartObject(numfields)

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:  # noqa: N802
        self._refers |= x != d
        super().PrependUOffsetTRelativeSlot(o, x, d)

    def EndObject(self) -> int:  # noqa: N802
        place = super().EndObject()
        if self._refers:
            return place
        begin = len(self.Bytes) - place
        fields = begin - flatbuffers.encode.Get(_SOFFSET, self.Bytes, begin)
        sizes = [flatbuffers.encode.Get(_VOFFSET, self.Bytes, fields + at) for at in (0, 2)]
        key = (
            bytes(self.Bytes[fields : fields + sizes[0]]),
            bytes(self.Bytes[begin + 4 : begin + sizes[1]]),
        )
        if key in self._tables:
            self.head = len(self.Bytes) - self._before
        return self._tables.setdefault(key, place)


def packed(model: Any, builder: flatbuffers.Builder | None = None) -> bytes:
    """Return the bytes of a model.

    Args:
        model: ``schema.ModelT``.
        builder: Writes them; without it every vector gets a place of its own.

    Raises:
        AssertionError: Reading them back gives something else.
    """
    builder = builder or _Aligning(1024)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    content = bytes(builder.Output())
    assert same(model, schema.ModelT.InitFromPackedBuf(content, 0)), "packing lost something"
    return content


def same(one: Any, other: Any) -> bool:
    """Whether two objects of the schema hold the same, down to the last number."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(_array(one), _array(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__dict__") and type(one) is type(other):
        return all(same(value, vars(other)[name]) for name, value in vars(one).items())
    return bool(one == other)


def _array(value: Any) -> np.ndarray:
    """An empty vector reads back as no vector."""
    return np.zeros(0) if value is None else np.asarray(value)
