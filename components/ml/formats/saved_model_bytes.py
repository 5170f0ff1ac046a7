"""The bytes of a SavedModel program, made equal where the programs are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

_NUMBERED = re.compile(r"^(__inference_.*_)?(\d+)$")
_ARGUMENT = "_user_specified_name"


def renumber(path: Path) -> None:
    """Rewrite ``saved_model.pb`` without the numbers that count all ops its process has made.

    Names of functions end in them. They would tell a model that was trained in a fresh process
    from the same one made in a process that had done something else before.
    """
    program = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    found: set[int] = set()

    def collect(name: str) -> str:
        if match := _NUMBERED.match(name):
            found.add(int(match[2]))
        return name

    _rename(program, collect)
    rank = {str(number): str(place) for place, number in enumerate(sorted(found))}
    _rename(program, lambda name: _NUMBERED.sub(lambda m: (m[1] or "") + rank[m[2]], name))
    for content in program.meta_graphs:  # they lie in the order of their old names
        functions = sorted(content.graph_def.library.function, key=lambda f: f.signature.name)
        del content.graph_def.library.function[:]
        content.graph_def.library.function.extend(functions)
    path.write_bytes(program.SerializeToString(deterministic=True))


def _rename(message: Any, rename: Callable[[str], str]) -> None:
    """Apply ``rename`` to every text of a protocol buffer: fields, keys, names of arguments."""
    for field, value in message.ListFields():
        if field.message_type and field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type:
                _rename_entries(value, rename)
        elif field.message_type:
            for item in value if field.is_repeated else (value,):
                _rename(item, rename)
        elif field.type == field.TYPE_STRING and field.is_repeated:
            value[:] = [rename(item) for item in value]
        elif field.type == field.TYPE_STRING:
            setattr(message, field.name, rename(value))


def _rename_entries(entries: Any, rename: Callable[[str], str]) -> None:
    renamed: dict[str, Any] = {}
    for key, value in entries.items():
        if key == _ARGUMENT:
            value.s = rename(value.s.decode()).encode()
        _rename(value, rename)
        if isinstance(key, str) and _NUMBERED.match(key):
            renamed[key] = type(value)()
            renamed[key].CopyFrom(value)
    for key in renamed:  # all old names first: a new one may equal an old one
        del entries[key]
    for key, value in renamed.items():
        entries[rename(key)].CopyFrom(value)
