"""What the index keeps of one record of an execution, checked before any of it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from components import COMPONENTS
from components.contract.interface import interface_of
from pipelines.runs.statements import Statement, read_statement

DIGEST_BYTES = 32
_DECODING = ("channels", "maximum", "max_pixels", "background", "background_rgb")
"""Parameters of ingest that what an image shows depends on, before it is resized."""


@dataclass(frozen=True)
class Flow:
    """An artifact that entered or left an execution.

    Attributes:
        port: Of the component.
        n: Its place where many enter one port, from 0.
        digest: Of the artifact, 32 bytes.
        kind: Of the port; empty where nobody knows the component any more.
        size_bytes: Of what left, where the record says it.
    """

    port: str
    n: int
    digest: bytes
    kind: str
    size_bytes: int | None = None


@dataclass(frozen=True)
class ExecutionFacts:
    """One execution.

    Attributes:
        version: Of the record.
        component: Which function ran, or should have run.
        engine: Name of the engine.
        key: The step key; None of a step that was not executed.
        code: Digest of the component's source, or None.
        environment: Digest of its packages, or None.
        outcome: ``ok``, or what became of it.
        started: ISO 8601, or None.
        finished: The same.
        wall_s: For the engine.
        used: What entered.
        made: What left.
        files: Output, path within it and sha256 of every file that the record names.
        decoding: How ingest read images, as JSON; None of other components.
    """

    version: int
    component: str
    engine: str
    key: bytes | None
    code: bytes | None
    environment: bytes | None
    outcome: str
    started: str | None
    finished: str | None
    wall_s: float
    used: tuple[Flow, ...]
    made: tuple[Flow, ...]
    files: tuple[tuple[str, str, bytes], ...]
    decoding: str | None

    @property
    def source(self) -> bytes | None:
        """Digest of the source that an ingest read."""
        found = (
            flow.digest for flow in self.used if flow.kind == "Source" and flow.port == "source"
        )
        return next(found, None)


def read_facts(data: bytes) -> ExecutionFacts:
    """Read a record of an execution.

    Raises:
        ValueError: It is none, or of a later version.
    """
    try:
        return facts_of(read_statement(data))
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def facts_of(statement: Statement) -> ExecutionFacts:
    """Return what the index keeps of a record that has been read.

    Raises:
        ValueError: It holds what no such record does.
    """
    ingredients = statement.ingredients
    component = text(ingredients.get("component", ""))
    into, out = kinds_of(component)
    content = statement.content
    sizes = content.get("outputs")
    outcome = content.get("outcome")
    return ExecutionFacts(
        version=statement.version,
        component=component,
        engine=text(statement.engine),
        key=None if statement.key is None else digest_bytes(statement.key),
        code=_optional_digest(ingredients.get("code")),
        environment=_optional_digest(ingredients.get("environment")),
        # A process that was killed has stated nothing.
        outcome=text(_entry(outcome, "result", "ok" if statement.outputs else "crashed")),
        started=_optional_text(statement.started),
        finished=_optional_text(statement.finished),
        wall_s=statement.wall_s,
        used=tuple(_used(ingredients.get("inputs", {}), into)),
        made=tuple(
            Flow(text(port), 0, digest_bytes(tree), out.get(port, ""), _size(sizes, port))
            for port, tree in sorted(statement.outputs.items())
        ),
        files=tuple(
            (text(output), text(path), digest_bytes(sha256))
            for (output, path), sha256 in sorted(statement.files.items())
        ),
        decoding=_decoding(ingredients) if component == "ingest" and statement.executed else None,
    )


@cache
def kinds_of(component: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the kinds of a component's inputs and outputs; nothing of one that has gone."""
    if component not in COMPONENTS:
        return {}, {}
    interface = interface_of(component)
    return (
        {port.name: port.kind for port in interface.inputs},
        {port.name: port.kind for port in interface.outputs},
    )


def digest_bytes(value: object) -> bytes:
    """Return the 32 bytes of a digest of 64 hexadecimal digits.

    Raises:
        ValueError: It is none.
    """
    found = bytes.fromhex(value) if isinstance(value, str) and len(value) == 64 else b""
    if len(found) != DIGEST_BYTES:
        raise ValueError(f"{str(value)[:80]!r} is no digest")
    return found


def text(value: object) -> str:
    """Return a text that a database takes.

    Raises:
        ValueError: It is no text, or holds half a character.
    """
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:80]!r} is no text")  # noqa: TRY004 it came out of a file
    value.encode()
    return value


def _used(inputs: object, kinds: Mapping[str, str]) -> Iterator[Flow]:
    if not isinstance(inputs, dict):
        raise ValueError("its inputs are no mapping")  # noqa: TRY004 it came out of a file
    for port, value in sorted(cast("dict[str, Any]", inputs).items()):
        many = cast("list[object]", value) if isinstance(value, list) else [value]
        for n, item in enumerate(many):
            if item is not None:
                yield Flow(text(port), n, digest_bytes(item), kinds.get(port, ""))


def _optional_digest(value: object) -> bytes | None:
    return None if value is None else digest_bytes(value)


def _optional_text(value: object) -> str | None:
    return None if value is None else text(value)


def _entry(value: object, key: str, default: object) -> object:
    return (
        cast("dict[str, object]", value).get(key, default) if isinstance(value, dict) else default
    )


def _size(sizes: object, port: str) -> int | None:
    size = _entry(_entry(sizes, port, None), "size_bytes", None)
    return size if isinstance(size, int) and 0 <= size < 2**63 else None


def _decoding(ingredients: Mapping[str, Any]) -> str:
    parameters = ingredients.get("parameters")
    given = cast("dict[str, Any]", parameters) if isinstance(parameters, dict) else {}
    return text(json.dumps({name: given[name] for name in _DECODING if name in given}))
