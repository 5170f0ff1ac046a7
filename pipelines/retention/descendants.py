"""Descendants: what was made from artifacts, as the records of executions say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from components.contract.errors import UserError
from pipelines.runs.step_records import ExecutionRecord, read_record
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import kind_of
from pipelines.stores.store import Store

_THREADS = 8


@dataclass
class Executions:
    """All executions of a store that have a result.

    Attributes:
        made: Their records.
        unread: Keys of records that cannot be read.
    """

    made: list[ExecutionRecord] = field(default_factory=list[ExecutionRecord])
    unread: list[str] = field(default_factory=list[str])

    def below(self, trees: Iterable[str]) -> set[str]:
        """Return what was made from these artifacts, directly or not, without themselves."""
        takers: dict[str, list[ExecutionRecord]] = {}
        for one in self.made:
            for tree in inputs_of(one):
                takers.setdefault(tree, []).append(one)
        found: set[str] = set()
        waiting = list(trees)
        while waiting:
            for one in takers.get(waiting.pop(), ()):
                new = set(one.outputs.values()) - found
                found |= new
                waiting += new
        return found

    def makers(self, trees: set[str]) -> list[ExecutionRecord]:
        """Return the executions that made one of these artifacts."""
        return [one for one in self.made if trees & set(one.outputs.values())]


def inputs_of(record: ExecutionRecord) -> Iterator[str]:
    """Yield the digest of everything that entered an execution."""
    for value in cast("Mapping[str, Any]", record.ingredients.get("inputs") or {}).values():
        if isinstance(value, list):
            yield from cast("list[str]", value)
        elif isinstance(value, str):
            yield value


def read_executions(store: Store, keys: Sequence[str]) -> Executions:
    """Read every record of an execution.

    Args:
        store: Where.
        keys: All keys in it.
    """
    found = Executions()

    def read(key: str) -> ExecutionRecord | None:
        try:
            return read_record(store, key)
        except UserError:
            found.unread.append(key)
            return None

    records = [(key,) for key in keys if kind_of(key) == "step"]
    found.made = [one for one in call_each(read, records, _THREADS) if one and one.outputs]
    return found
