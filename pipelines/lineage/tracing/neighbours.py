"""The steps before and after an artifact, as the index knows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from components.artifacts.empty import FILE as NOTHING
from pipelines.lineage.naming import Index
from pipelines.stores.layout import step_of_record

_ALTERNATIVES = 3
"""Executions of unlike inputs that gave the same bytes: so many are told of, the rest counted."""


@dataclass(frozen=True)
class IndexedExecution:
    """One execution of a step.

    Attributes:
        id: In the index.
        record: Its key in the store.
        component: What ran.
        version: Of the record; None where it cannot be read.
        alike: How many further executions used the same and gave the same.
    """

    id: int
    record: str
    component: str
    version: int | None
    alike: int = 0

    @property
    def run(self) -> str:
        """The run that executed it."""
        return step_of_record(self.record)[0]

    @property
    def step(self) -> str:
        """Name of the step."""
        return step_of_record(self.record)[1]


Flow = tuple[str, int]
"""A port, and the artifact that flows through it."""


class Neighbours:
    """Asks the index for what lies next to an artifact or a step.

    Args:
        index: Of the store.
        run: The run that is asked about: where several executions gave the same bytes, the one
            counts whose result this run took. None: the oldest.
    """

    def __init__(self, index: Index, run: str | None = None) -> None:
        self._index = index
        self._preferred: frozenset[int] = frozenset()
        if run is not None:
            rows = index.execute(
                "SELECT s.execution FROM run_step s JOIN run r ON r.id = s.run "
                "WHERE r.run = ? AND s.execution IS NOT NULL",
                [run],
            )
            self._preferred = frozenset(row[0] for row in rows)

    def makers(self, artifact: int) -> tuple[list[IndexedExecution], int]:
        """Return the executions that made an artifact, and how many more there are.

        Those that used the same count as one, the oldest; who only hands it on has not made it.
        """
        rows = self._index.execute(
            "SELECT DISTINCT e.id, e.record, e.component, e.version FROM made m "
            "JOIN execution e ON e.id = m.execution WHERE m.artifact = ? "
            "ORDER BY e.started IS NULL, e.started, e.record",
            [artifact],
        )
        found = _executions(rows)
        found = [one for one in found if not self._hands_on(one, artifact)] or found
        chosen = [one for one in found if one.id in self._preferred]
        if self._is_nothing(artifact):  # a step that had nothing to do: where does not matter
            return (chosen or found)[:1], 0
        if chosen:
            return chosen, 0
        groups: dict[tuple[str, tuple[Flow, ...]], list[IndexedExecution]] = {}
        for one in found:
            groups.setdefault((one.component, tuple(self.used(one))), []).append(one)
        makers = [_first(group) for group in groups.values()]
        return makers[:_ALTERNATIVES], len(makers[_ALTERNATIVES:])

    def _hands_on(self, execution: IndexedExecution, artifact: int) -> bool:
        """Whether it was given the very bytes, as ``select`` is the winner's."""
        return any(used == artifact for _, used in self.used(execution))

    def _is_nothing(self, artifact: int) -> bool:
        """Whether it is the empty result of a step that no winner came to."""
        rows = self._index.execute(
            "SELECT 1 FROM file WHERE artifact = ? AND path = ?", [artifact, NOTHING]
        )
        return next(iter(rows), None) is not None

    def users(self, artifact: int) -> list[IndexedExecution]:
        """Return the executions that used an artifact; those of one step key count as one."""
        rows = self._index.execute(
            "SELECT DISTINCT e.id, e.record, e.component, e.version, e.key FROM used u "
            "JOIN execution e ON e.id = u.execution WHERE u.artifact = ? "
            "ORDER BY e.started IS NULL, e.started, e.record",
            [artifact],
        )
        groups: dict[object, list[IndexedExecution]] = {}
        for *row, key in rows:
            (one,) = _executions([row])
            groups.setdefault(key or one.id, []).append(one)
        return [
            next((one for one in group if one.id in self._preferred), _first(group))
            for group in groups.values()
        ]

    def used(self, execution: IndexedExecution) -> list[Flow]:
        """Return what an execution used, by port, in order."""
        rows = self._index.execute(
            "SELECT port, artifact FROM used WHERE execution = ? ORDER BY port, n", [execution.id]
        )
        return [(port, artifact) for port, artifact in rows]

    def made(self, execution: IndexedExecution) -> list[Flow]:
        """Return what an execution made, by port; not what it only hands on."""
        rows = self._index.execute(
            "SELECT port, artifact FROM made WHERE execution = ?1 AND artifact NOT IN "
            "(SELECT artifact FROM used WHERE execution = ?1) ORDER BY port",
            [execution.id],
        )
        return [(port, artifact) for port, artifact in rows]

    def step(self, run: str, step: str) -> IndexedExecution | None:
        """Return the execution whose result a run took for a step; None where there is none."""
        rows = self._index.execute(
            "SELECT e.id, e.record, e.component, e.version FROM run_step s "
            "JOIN run r ON r.id = s.run JOIN execution e ON e.id = s.execution "
            "WHERE r.run = ? AND s.step = ?",
            [run, step],
        )
        return next(iter(_executions(rows)), None)

    def results(self, run: str) -> list[int]:
        """Return what a run released, or else what it made and no step of it used."""
        released = self._index.execute("SELECT artifact FROM release WHERE run = ?", [run])
        if found := [row[0] for row in released]:
            return found
        rows = self._index.execute(
            "SELECT DISTINCT a.id FROM run r JOIN run_step s ON s.run = r.id "
            "JOIN made m ON m.execution = s.execution JOIN artifact a ON a.id = m.artifact "
            "WHERE r.run = ? AND NOT EXISTS (SELECT 1 FROM run_step t "
            "JOIN used u ON u.execution = t.execution "
            "WHERE t.run = r.id AND u.artifact = a.id) ORDER BY s.step, m.port",
            [run],
        )
        return [row[0] for row in rows]


def _executions(rows: Iterable[Sequence[Any]]) -> list[IndexedExecution]:
    return [
        IndexedExecution(id_, record, component or step_of_record(record)[1], version)
        for id_, record, component, version in rows
    ]


def _first(group: Sequence[IndexedExecution]) -> IndexedExecution:
    return replace(group[0], alike=len(group) - 1) if len(group) > 1 else group[0]
