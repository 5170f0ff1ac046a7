"""What follows from rows of records: of which datasets and sources each release was made.

A release is that of a run, so what it was made of is found by the executions of that run alone: two
runs may have made the same bytes of different data. Only where the run has no record of what made
an artifact, any execution that made it counts; such a run is looked at again with all news.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

_SETTLED, _INCOMPLETE = 0, 2


@dataclass
class _Origins:
    """What a release was made of.

    Attributes:
        datasets: Artifacts.
        sources: Sources and the ports that they entered by.
        complete: Each artifact on the way was made by an execution of the run.
    """

    datasets: set[int] = field(default_factory=set[int])
    sources: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])
    complete: bool = True


def derive(database: sqlite3.Connection, *, news: bool) -> int:
    """Work out the origins of the releases of all runs where they may have changed.

    Args:
        database: Inside a transaction.
        news: Whether rows of executions were written since the last call.

    Returns:
        How many runs were looked at.
    """
    stale = database.execute("SELECT id, run FROM run WHERE stale = 1").fetchall()
    if news:
        stale += database.execute("SELECT id, run FROM run WHERE stale = 2").fetchall()
    for run, name in stale:
        complete = True
        for release, artifact in database.execute(
            "SELECT id, artifact FROM release WHERE run = ?", (name,)
        ).fetchall():
            origins = _origins(database, run, artifact)
            complete = complete and origins.complete
            _put(database, release, origins)
        state = _SETTLED if complete else _INCOMPLETE
        database.execute("UPDATE run SET stale = ? WHERE id = ?", (state, run))
    return len(stale)


def _put(database: sqlite3.Connection, release: int, origins: _Origins) -> None:
    database.execute("DELETE FROM release_dataset WHERE release = ?", (release,))
    database.execute("DELETE FROM release_source WHERE release = ?", (release,))
    database.executemany(
        "INSERT INTO release_dataset VALUES (?, ?)",
        [(release, dataset) for dataset in origins.datasets],
    )
    database.executemany(
        "INSERT INTO release_source VALUES (?, ?, ?)",
        [(release, source, port) for source, port in origins.sources],
    )


def _origins(database: sqlite3.Connection, run: int, release: int) -> _Origins:
    """Follow a release up to everything that it was made of."""
    makers, used, datasets = _makers(database, run), _used(database, run), _datasets(database, run)
    found = _Origins()
    waiting, seen = [release], {release}
    while waiting:
        artifact = waiting.pop()
        if artifact in datasets:
            found.datasets.add(artifact)
        executions = makers.get(artifact)
        if executions is None:
            found.complete = False
            executions = _any_makers(database, artifact, found)
        for execution in executions:
            if execution not in used:
                used[execution] = _inputs(database, execution)
            inputs = used[execution]
            found.sources |= {(given, port) for given, port, kind in inputs if kind == "Source"}
            artifacts = {given for given, _, kind in inputs if kind != "Source"} - seen
            seen |= artifacts
            waiting += artifacts
    return found


def _makers(database: sqlite3.Connection, run: int) -> dict[int, list[int]]:
    """Return by artifact the executions of a run that made it."""
    found: dict[int, list[int]] = {}
    for artifact, execution in database.execute(
        "SELECT made.artifact, made.execution FROM run_step"
        " JOIN made ON made.execution = run_step.execution WHERE run_step.run = ?",
        (run,),
    ):
        found.setdefault(artifact, []).append(execution)
    return found


def _used(database: sqlite3.Connection, run: int) -> dict[int, list[tuple[int, str, str]]]:
    """Return by execution of a run the artifacts that entered it, each with its kind."""
    found: dict[int, list[tuple[int, str, str]]] = {}
    for execution, artifact, port, kind in database.execute(
        "SELECT used.execution, used.artifact, used.port, artifact.kind FROM run_step"
        " JOIN used ON used.execution = run_step.execution"
        " JOIN artifact ON artifact.id = used.artifact WHERE run_step.run = ?",
        (run,),
    ):
        found.setdefault(execution, []).append((artifact, port, kind))
    return found


def _datasets(database: sqlite3.Connection, run: int) -> set[int]:
    rows = database.execute(
        "SELECT dataset.artifact FROM run_step"
        " JOIN dataset ON dataset.execution = run_step.execution WHERE run_step.run = ?",
        (run,),
    )
    return {artifact for (artifact,) in rows}


def _any_makers(database: sqlite3.Connection, artifact: int, found: _Origins) -> list[int]:
    """Return all executions that made an artifact, and note whether it is a dataset."""
    if database.execute("SELECT 1 FROM dataset WHERE artifact = ?", (artifact,)).fetchone():
        found.datasets.add(artifact)
    rows = database.execute("SELECT execution FROM made WHERE artifact = ?", (artifact,))
    return [execution for (execution,) in rows]


def _inputs(database: sqlite3.Connection, execution: int) -> list[tuple[int, str, str]]:
    return database.execute(
        "SELECT used.artifact, used.port, artifact.kind FROM used"
        " JOIN artifact ON artifact.id = used.artifact WHERE used.execution = ?",
        (execution,),
    ).fetchall()
