"""Metadata of apps in a ``.tflite``: normalization and labels, as MediaPipe's tasks read them.

An entry TFLITE_METADATA holds a flatbuffer of its own that says what goes in and what comes out;
the labels are a text file in a zip archive behind the model. The few tables that are needed are
written here, so that converting needs no MediaPipe.

References:
    https://ai.google.dev/edge/litert/models/metadata
    https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.model import ImageInput, ModelInfo, Scores
from components.contract.errors import UserError
from components.ml.lite import appended
from components.ml.lite.repack import model_of, packed

ENTRY = "TFLITE_METADATA"
LABELS = "labels.txt"
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"
"""Readers of the metadata need to be at least so new."""

_FEATURES, _IMAGE = 1, 2  # kinds of content
_NORMALIZATION = 1  # kind of process unit
_AXIS_LABELS = 2  # kind of associated file
_RGB = 1  # kind of colour space
_RGB_CHANNELS = 3


def with_metadata(content: bytes, info: ModelInfo) -> bytes:
    """Return a file with metadata that says how to feed it and what it answers.

    Args:
        content: A ``.tflite`` without metadata of apps.
        info: Of the Model: gives normalization and classes.

    Raises:
        UserError: MediaPipe does not take such an input or output, or a class has a name that a
            list of labels cannot hold.
    """
    refuse_edges(info)
    model = model_of(content)
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(described(info), np.uint8)
    entry.name, entry.buffer = ENTRY.encode(), len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    done = packed(model)
    if isinstance(info.output, Scores):
        return appended.with_files(done, {LABELS: labels(info.output.classes)})
    return done


def refuse_edges(info: ModelInfo) -> None:
    """Ask for an input and an output that MediaPipe's tasks take.

    Raises:
        UserError: Images are not of three channels, or the input or the output is int8.
    """
    without = "or leave metadata away (convert: {metadata: false})"
    if info.input.channels != _RGB_CHANNELS:
        raise UserError(
            "convert: metadata is for MediaPipe, which takes images of 3 channels, and the model's "
            f"have {info.input.channels}",
            f"train on image: {{channels: 3}}, {without}",
        )
    plan = info.quantization
    for edge in ("input_type", "output_type"):
        if getattr(plan, edge, "float32") == "int8":
            raise UserError(
                f"convert: metadata is for MediaPipe, which takes uint8 and float32, and {edge} is "
                "int8",
                f"write {edge}: uint8 in the quantize step, {without}",
            )


def labels(classes: Sequence[str]) -> bytes:
    """Return the text of ``labels.txt``: one class a line, in the order of the scores.

    Raises:
        UserError: A name has more than one line.
    """
    for name in classes:
        if len(name.splitlines()) != 1:
            raise UserError(
                f"convert: the class {name!r} cannot be a line of {LABELS}",
                "rename the class, or write convert: {metadata: false}",
            )
    return "\n".join(classes).encode()


def described(info: ModelInfo) -> bytes:
    """Return the flatbuffer of the metadata.

    Args:
        info: Of the Model.
    """
    write = _TableWriter()
    classes = info.output.classes if isinstance(info.output, Scores) else None
    files: dict[int, int] = {}
    if classes is not None:
        files = {6: write.vector([write.table(5, {0: write.text(LABELS)}, {2: _AXIS_LABELS})])}
    answer = write.table(
        7,
        {
            0: write.text("probability" if classes is not None else "embedding"),
            3: write.table(3, {1: write.table(0, {}, {})}, {0: _FEATURES}),
            **files,
        },
        {},
    )
    graph = write.table(
        10, {2: write.vector([_image(write, info.input)]), 3: write.vector([answer])}, {}
    )
    return write.finished(write.table(8, {3: write.vector([graph]), 7: write.text(_PARSER)}, {}))


def _image(write: _TableWriter, image: ImageInput) -> int:
    """Write what goes in: pixels, which are normalized where the input takes floats."""
    colours = write.table(2, {}, {0: _RGB})
    options = write.table(2, {0: write.floats([image.mean]), 1: write.floats([image.scale])}, {})
    normalization = write.table(2, {1: options}, {0: _NORMALIZATION})
    limits = [(pixel - image.mean) / image.scale for pixel in (255, 0)]
    stats = write.table(2, {0: write.floats(limits[:1]), 1: write.floats(limits[1:])}, {})
    return write.table(
        7,
        {
            0: write.text("image"),
            3: write.table(3, {1: colours}, {0: _IMAGE}),
            4: write.vector([normalization]),
            5: stats,
        },
        {},
    )


class _TableWriter:
    """Writes tables by the numbers of their fields in the schema."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def text(self, value: str) -> int:
        """Write a text and return where it is."""
        return self._builder.CreateString(value)

    def floats(self, values: Sequence[float]) -> int:
        """Write a vector of numbers."""
        return self._builder.CreateNumpyVector(np.asarray(values, np.float32))

    def vector(self, tables: Sequence[int]) -> int:
        """Write a vector of tables, given where they are."""
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return self._builder.EndVector()

    def table(self, fields: int, places: Mapping[int, int], bytes_: Mapping[int, int]) -> int:
        """Write a table.

        Args:
            fields: How many the schema gives it.
            places: By field what was written before.
            bytes_: By field a number of one byte.
        """
        self._builder.StartObject(fields)
        for field, place in places.items():
            self._builder.PrependUOffsetTRelativeSlot(field, place, 0)
        for field, value in bytes_.items():
            self._builder.PrependInt8Slot(field, value, 0)
        return self._builder.EndObject()

    def finished(self, root: int) -> bytes:
        """Return the bytes."""
        self._builder.Finish(root, file_identifier=_IDENTIFIER)
        return bytes(self._builder.Output())
