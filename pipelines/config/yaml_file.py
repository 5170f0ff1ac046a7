"""YAML files of people: read strictly, and every value knows its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from components.contract.errors import UserError

_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 50


class _Loader(yaml.SafeLoader):
    """The safe loader, but keys are text, none is given twice, and ``1e-3`` is a number.

    What no configuration has, and what would take all memory or stack, is a fault of its line.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._merged: set[yaml.Node] = set()

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self._depth == _MAX_DEPTH:
            event = cast("yaml.Event", self.peek_event())  # pyright: ignore[reportUnknownMemberType]
            raise _fault("this is nested deeper than any configuration", event)
        self._depth += 1
        node = super().compose_node(parent, index)  # pyright: ignore[reportArgumentType]
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = cast("object", super().construct_object(node, deep))  # pyright: ignore[reportUnknownMemberType]
            if isinstance(node, yaml.ScalarNode):
                str(value).encode()  # an escape can be half a character, a number too long to say
        except (ValueError, LookupError, AttributeError, ArithmeticError):  # as PyYAML lets them by
            kind = str(node.tag).rpartition(":")[2]
            raise _fault(f"this is no {kind} that can be read", node) from None
        return value

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if node in self._merged:
            return
        self._merged.add(node)
        self._check_keys(node)
        super().flatten_mapping(node)
        # What was merged stands before what counts. Kept, it would double with every merge.
        node.value = list({key.value: (key, value) for key, value in node.value}.values())

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            if key.tag == _MERGE:
                continue
            if key.tag != _TEXT:
                raise _fault("a key must be text: put it in quotes", key)
            if key.value in seen:
                raise _fault(f"the key {key.value!r} is given twice", key)
            seen.add(key.value)


def _fault(problem: str, node: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)


# YAML 1.1, which PyYAML follows, wants a point in 1e-3; nobody who sets a learning rate does.
_Loader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+"),
    list("-+0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A parsed file.

    Attributes:
        path: Where it lies.
        value: What it holds, a mapping.
        node: The same with line numbers.
    """

    path: Path
    value: dict[str, Any]
    node: yaml.Node

    def place(self, keys: tuple[str | int, ...]) -> str:
        """Return ``file:line`` of the value under ``keys``, or of its nearest parent."""
        line, node = self.node.start_mark.line, self.node
        for key in keys:
            step = _descend(node, key)
            if step is None:
                break
            line, node = step
        return f"{self.path}:{line + 1}"


def _descend(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        value = node.value[key]
        return value.start_mark.line, value
    return None


def read(path: Path, begin: str | None = None) -> Document:
    """Read one YAML mapping.

    Args:
        path: Of the file.
        begin: What to do where nothing is in it; None is that of a configuration.

    Raises:
        UserError: No such file, not text, not YAML, a key given twice, empty, or no mapping.
    """
    text = _text(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = cast("object", loader.construct_document(node) if node else None)  # pyright: ignore[reportUnknownMemberType]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise UserError(
            f"{where}: {what}", "correct the file there; strings with : or # need quotes"
        ) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise UserError(f"{path}: {error}", "save the file as plain UTF-8 text") from None
    if node is None or value is None:
        fix = begin or f"write one with: slimline init {path.stem}-new.yaml"
        raise UserError(f"{path} is empty", fix)
    if not isinstance(value, dict):
        raise UserError(
            f"{path} holds a {type(value).__name__}, where a mapping of keys to values is expected",
            begin or "begin with a line such as `name: faces`",
        )
    return Document(path, cast("dict[str, Any]", value), node)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(
            f"there is no configuration {path}", f"write one with: slimline init {path}"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", "name a readable file") from None
    if len(data) > _MAX_BYTES:
        raise UserError(
            f"{path} is larger than a configuration can be ({_MAX_BYTES} bytes)",
            "name the YAML file, not the data",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start})", "save the file as UTF-8 text"
        ) from None
