"""Model object: a ``.tflite`` taken apart to be changed, and put together again."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"


def taken_apart(content: bytes) -> Any:
    """Return a file as the objects of its schema, with every constant in its buffer.

    LiteRT's quantizer writes the constants of larger models behind the flatbuffer, from where
    they would be lost.
    """
    model: Any = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 say that the data is inside
            outside = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(outside, np.uint8)
            buffer.offset = buffer.size = 0
    return model


def put_together(model: Any) -> bytes:
    """Return the bytes of a file that ``taken_apart`` gave."""
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
