"""Descendants: what was made from artifacts, as the records of executions say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from components.contract.errors import UserError
from pipelines.runs.step_records import read_record
from pipelines.stores.layout import kind_of
from pipelines.stores.store import Store


@dataclass(frozen=True)
class Made:
    """One execution.

    Attributes:
        record: Store key of its record.
        component: What ran.
        inputs: Tree digests that entered it.
        outputs: By port the tree that it made.
        folder: Where its outputs lie in a bucket, if a cluster ran it.
    """

    record: str
    component: str
    inputs: frozenset[str]
    outputs: dict[str, str]
    folder: str | None


@dataclass
class Lineage:
    """All executions of a store.

    Attributes:
        made: Each that has a result.
        unread: Records that cannot be read.
    """

    made: list[Made] = field(default_factory=list[Made])
    unread: list[str] = field(default_factory=list[str])

    def below(self, trees: Iterable[str]) -> set[str]:
        """Return what was made from these artifacts, directly or not, without themselves."""
        takers: dict[str, list[Made]] = {}
        for one in self.made:
            for tree in one.inputs:
                takers.setdefault(tree, []).append(one)
        found: set[str] = set()
        waiting = list(trees)
        while waiting:
            for one in takers.get(waiting.pop(), ()):
                new = set(one.outputs.values()) - found
                found |= new
                waiting += new
        return found

    def beside(self, trees: set[str]) -> set[str]:
        """Return all outputs of the executions that made one of these artifacts."""
        return {
            tree
            for one in self.made
            if trees & set(one.outputs.values())
            for tree in one.outputs.values()
        }

    def makers(self, trees: set[str]) -> list[Made]:
        """Return the executions that made one of these artifacts."""
        return [one for one in self.made if trees & set(one.outputs.values())]


def read_lineage(store: Store, keys: Sequence[str]) -> Lineage:
    """Read every record of an execution.

    Args:
        store: Where.
        keys: All keys in it.
    """
    found = Lineage()
    for key in keys:
        if kind_of(key) != "step":
            continue
        try:
            record = read_record(store, key)
        except UserError:
            found.unread.append(key)
            continue
        if record and record.outputs and record.ingredients:
            inputs = frozenset(_trees(record.ingredients.get("inputs")))
            outputs = dict(record.outputs)
            found.made.append(
                Made(key, str(record.component), inputs, outputs, _folder(store.get(key)))
            )
    return found


def _trees(inputs: object) -> Iterable[str]:
    for value in cast("dict[str, Any]", inputs or {}).values():
        if isinstance(value, list):
            yield from cast("list[str]", value)
        elif isinstance(value, str):
            yield value


def _folder(record: bytes) -> str | None:
    """Return the folder in a bucket that a cluster's pod wrote into."""
    try:
        stated = json.loads(record)["predicate"]["runDetails"]["byproducts"][0]["content"]
        folder = stated.get("folder")
    except (LookupError, TypeError, AttributeError):
        return None
    return folder if isinstance(folder, str) and folder.startswith("gs://") else None
