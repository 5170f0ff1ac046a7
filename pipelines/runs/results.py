"""Entries of the action cache, and the statements of executions that they have to agree with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from pipelines.runs.statements import read_statement
from pipelines.stores.store import KeyMissing, Store, is_key

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class CachedResult:
    """What the action cache knows of one step key.

    Attributes:
        key: The step key.
        outputs: Tree digest of every output.
        record: Store key of the record of the execution that made it.
        function_s: Wall time of the component's function then.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    key: str
    outputs: Mapping[str, _Digest]
    record: str
    function_s: float


_RESULT = TypeAdapter(CachedResult)


def read_result(data: bytes) -> CachedResult:
    """Read an entry of the action cache.

    Raises:
        ValueError: It is something else.
    """
    return _RESULT.validate_json(data)


def disagreement(store: Store, key: str, result: CachedResult) -> str | None:
    """Say in what an entry disagrees with its step key, or with the record that it names.

    A record that is gone, damaged itself, or of a later version, says nothing against an entry.

    Args:
        store: Where the record is.
        key: The step key under which the entry lies.
        result: The entry.
    """
    if result.key != key:
        return f"it is the result of the step key {result.key[:64]}"
    if not is_key(result.record):
        return "it names no record"
    try:
        statement = read_statement(store.get(result.record))
    except (KeyMissing, ValueError):
        return None
    if statement.key != key:
        return f"its record {result.record} is of another step key"
    if statement.outputs != result.outputs:
        return f"its outputs are not those of its record {result.record}"
    return None
