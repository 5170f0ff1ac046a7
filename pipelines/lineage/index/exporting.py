"""The index as lines of JSON, each row by names and digests: equal bytes for equal content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Protocol

from components.contract.digests import canonical_json

_RUN = "(SELECT run.run FROM run WHERE run.id = {0})"
_EXECUTION = "(SELECT record FROM execution WHERE execution.id = {0})"
_DIGEST = "(SELECT digest FROM artifact WHERE artifact.id = {0})"
_RELEASE = "(SELECT release.name || ' ' || release.run FROM release WHERE release.id = {0})"
_PAGE = "(SELECT page.sha FROM page WHERE page.id = {0})"
_REFERENCES = {
    "run": _RUN, "execution": _EXECUTION, "artifact": _DIGEST, "source": _DIGEST,
    "dataset": _DIGEST, "decision": _DIGEST, "release": _RELEASE, "page": _PAGE,
}  # fmt: skip
"""Columns that hold identifiers, wherever their type is INTEGER."""

_LEFT_OUT = {"meta", "read_from"}
_LEFT_OUT_COLUMNS = {("run", "stale")}
"""How the index itself stands, which says nothing of the store."""


class Queries(Protocol):
    """What an export needs of an index."""

    def execute(self, sql: str, parameters: tuple[Any, ...] = ..., /) -> Any:
        """Return the rows of a query."""
        ...


def export_lines(index: Queries | sqlite3.Connection) -> Iterator[bytes]:
    """Yield every row of every table, tables and rows in order, each a line of JSON.

    Identifiers of the database are left out: they depend on the order in which rows were written.
    """
    tables = [
        name
        for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if name not in _LEFT_OUT and not name.startswith("sqlite_")
    ]
    for table in sorted(tables):
        names, shown = _columns(index, table)
        order = ", ".join(str(n + 1) for n in range(len(names)))
        sql = f"SELECT {', '.join(shown)} FROM {table} ORDER BY {order}"  # noqa: S608 our tables
        for row in index.execute(sql):
            values = (value.hex() if isinstance(value, bytes) else value for value in row)
            yield canonical_json({"table": table, **dict(zip(names, values, strict=True))}) + b"\n"


def _columns(index: Queries | sqlite3.Connection, table: str) -> tuple[list[str], list[str]]:
    """Return names of the columns that are exported, and what is selected for them."""
    names: list[str] = []
    shown: list[str] = []
    for _, name, kind, _, _, _ in index.execute(f"PRAGMA table_info({table})"):
        if name == "id" or (table, name) in _LEFT_OUT_COLUMNS:
            continue
        names.append(name)
        column = f"{table}.{name}"
        refers = kind == "INTEGER" and name in _REFERENCES
        shown.append(_REFERENCES[name].format(column) if refers else column)
    return names, shown
