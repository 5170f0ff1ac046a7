"""Rows of records: each call writes what one value of the store says, in whatever order they come.

What is written twice is the same row; so whoever was killed begins again where it stood.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from pipelines.lineage.index.facts import ExecutionFacts, Flow, digest_bytes, text
from pipelines.runs.choices import choices_in
from pipelines.runs.records import RunRecord
from pipelines.stores.layout import RUNS

_KNOWN = 200_000
"""Identifiers that are kept in memory; what is asked for again was mostly written just before."""

_SHIPPED = ("LiteModel", "Release")
"""Kinds of artifacts whose files people hold in their hands."""

_LOOK_AGAIN = (
    "UPDATE manifest SET state = NULL WHERE dataset = ? AND state != 'read'",
    "UPDATE decision SET state = NULL WHERE artifact = ? AND state != 'read'",
    "UPDATE worth SET state = NULL WHERE artifact = ? AND state != 'read'",
    "UPDATE listing SET state = NULL WHERE artifact = ? AND state != 'read'",
)

_PAGES_AGAIN = (
    "UPDATE page SET state = NULL WHERE state != 'read' AND id IN (SELECT source_page.page"
    " FROM source JOIN source_page ON source_page.source = source.id WHERE source.digest = ?)"
)
_WRITTEN_AGAIN = (
    "UPDATE source SET state = NULL WHERE digest = ? AND state != 'read'",
    _PAGES_AGAIN,
)


class Inserter:
    """Writes rows through a connection, inside whatever transaction is open there.

    Args:
        database: With the tables of the schema.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self._artifact: Callable[[bytes, str], int] = lru_cache(_KNOWN)(self._put_artifact)
        self._execution: Callable[[str], int] = lru_cache(_KNOWN)(self._put_stub)

    def forget(self) -> None:
        """Forget identifiers: what a transaction that was undone has given out is not there."""
        self._artifact = lru_cache(_KNOWN)(self._put_artifact)
        self._execution = lru_cache(_KNOWN)(self._put_stub)

    # runs -----------------------------------------------------------------------------------------

    def put_run(self, record: RunRecord, *, whole: bool) -> int:
        """Write a run with its steps and sources, over what was there of it.

        Args:
            record: As its ``run.json`` says; or ``started.json``, where there is no such yet.
            whole: It has ended.

        Returns:
            Its identifier.

        Raises:
            ValueError: The record holds what no record does.
        """
        steps = [
            (text(name), text(step["state"]), text(step["record"]) if step.get("record") else None)
            for name, step in record.steps.items()
        ]
        sources = {text(name): digest_bytes(source) for name, source in record.sources.items()}
        values = (
            text(record.run), text(record.name), text(record.started),
            None if record.finished is None else text(record.finished), text(record.outcome),
            text(record.engine), text(getattr(record, "actor", "")), text(record.config_digest),
            text(record.graph_digest), record.wall_s, record.fault, int(whole),
        )  # fmt: skip
        (run,) = self._row(
            "INSERT INTO run (run, name, started, finished, outcome, engine, actor, config, graph,"
            " wall_s, fault, whole) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run) DO UPDATE SET name = excluded.name, started = excluded.started,"
            " finished = excluded.finished, outcome = excluded.outcome, engine = excluded.engine,"
            " actor = excluded.actor, config = excluded.config, graph = excluded.graph,"
            " wall_s = excluded.wall_s, fault = excluded.fault, whole = excluded.whole, stale = 1"
            " RETURNING id",
            values,
        )
        self.database.execute("DELETE FROM run_step WHERE run = ?", (run,))
        self.database.execute("DELETE FROM run_source WHERE run = ?", (run,))
        self.database.executemany(
            "INSERT INTO run_step VALUES (?, ?, ?, ?)",
            [
                (run, name, None if at is None else self._execution(at), state)
                for name, state, at in steps
            ],
        )
        for source in sources.values():
            # A run writes the listing of its data, and what of it had been collected, again.
            for sql in _WRITTEN_AGAIN:
                self.database.execute(sql, (source,))
        # Whoever started it says who that was since runs keep the listing of their sources.
        expected = bool(getattr(record, "actor", ""))
        self.database.executemany(
            "INSERT INTO run_source VALUES (?, ?, ?)",
            [
                (run, name, self._put_source(source, expected=expected))
                for name, source in sources.items()
            ],
        )
        self._put_decision(run, record.steps)
        return run

    def holds(self, run: str, records: Collection[str]) -> bool:
        """Whether a run without an end is there with all that it has left so far.

        Args:
            run: Its identifier.
            records: Keys of all records of its executions, which are written once.
        """
        of_run = f"{RUNS}{run}/"  # what was wrong there may have been put right
        found = self._row(
            "SELECT 1 FROM run WHERE run = ? AND NOT whole AND NOT EXISTS (SELECT 1 FROM run_source"
            " JOIN source ON source.id = run_source.source"
            " WHERE run_source.run = run.id AND source.state IS NOT 'read')"
            " AND NOT EXISTS (SELECT 1 FROM problem WHERE substr(key, 1, length(?)) = ?)",
            (run, of_run, of_run),
        )
        return found is not None and all(
            self._row("SELECT 1 FROM execution WHERE record = ? AND version IS NOT NULL", (record,))
            for record in records
        )

    def put_step(self, run: int, step: str, record: str, state: str) -> None:
        """Write that a step of a run without an end has left a record; a later attempt counts."""
        self.database.execute(
            "INSERT OR REPLACE INTO run_step VALUES (?, ?, ?, ?)",
            (run, step, self._execution(record), state),
        )

    def _put_decision(self, run: int, steps: Mapping[str, Mapping[str, Any]]) -> None:
        """Write which artifact says what the run chose: the first, where each device has one."""
        self.database.execute("DELETE FROM choice WHERE run = ?", (run,))
        select = choices_in(steps.keys())[0].select
        outputs: Mapping[str, object] = steps.get(select, {}).get("outputs") or {}
        if tree := outputs.get("decision"):
            artifact = self._artifact(digest_bytes(tree), "Report")
            self.database.execute("INSERT INTO choice VALUES (?, ?)", (run, artifact))
            self.database.execute(
                "INSERT OR IGNORE INTO decision (artifact) VALUES (?)", (artifact,)
            )

    # executions -----------------------------------------------------------------------------------

    def put_execution(self, record: str, facts: ExecutionFacts) -> int:
        """Write an execution, once.

        Args:
            record: Key of its record in the store.
            facts: What the record says.

        Returns:
            Its identifier.
        """
        execution = self._execution(text(record))
        changed = self.database.execute(
            "UPDATE execution SET component = ?, engine = ?, key = ?, code = ?, environment = ?,"
            " outcome = ?, started = ?, finished = ?, wall_s = ?, version = ?"
            " WHERE id = ? AND version IS NULL",
            (
                facts.component, facts.engine, facts.key, facts.code, facts.environment,
                facts.outcome, facts.started, facts.finished, facts.wall_s, facts.version,
                execution,
            ),
        )  # fmt: skip
        if not changed.rowcount:
            return execution
        (newest,) = self._row("SELECT coalesce(max(id), 0) FROM artifact", ())
        self.database.executemany(
            "INSERT INTO used VALUES (?, ?, ?, ?)",
            [(execution, flow.port, flow.n, self._put_flow(flow)) for flow in facts.used],
        )
        made = {flow.port: self._put_flow(flow) for flow in facts.made}
        self.database.executemany(
            "INSERT INTO made VALUES (?, ?, ?)",
            [(artifact, execution, port) for port, artifact in made.items()],
        )
        self.database.executemany(
            "INSERT OR IGNORE INTO file VALUES (?, ?, ?)",
            [(sha, made[output], path) for output, path, sha in facts.files if output in made],
        )
        for artifact in made.values():
            if artifact <= newest:  # of others nothing has been looked for yet
                self._look_again(artifact)
        self._put_datasets(execution, facts, made)
        if facts.version == 1:
            self.database.executemany(
                "INSERT OR IGNORE INTO listing (artifact) VALUES (?)",
                [(made[flow.port],) for flow in facts.made if flow.kind in _SHIPPED],
            )
        self.database.execute(
            "UPDATE run SET stale = 1 WHERE id IN (SELECT run FROM run_step WHERE execution = ?)",
            (execution,),
        )
        return execution

    def _look_again(self, artifact: int) -> None:
        """What could not be read of an artifact may be there, now that it was made again."""
        for sql in _LOOK_AGAIN:
            self.database.execute(sql, (artifact,))

    def put_damaged_execution(self, record: str) -> None:
        """Write that there is an execution of which nobody can read more."""
        self.database.execute(
            "UPDATE execution SET version = 0 WHERE id = ? AND version IS NULL",
            (self._execution(text(record)),),
        )

    def _put_datasets(self, execution: int, facts: ExecutionFacts, made: Mapping[str, int]) -> None:
        datasets = [made[flow.port] for flow in facts.made if flow.kind == "Dataset"]
        if facts.decoding is not None:
            self.database.execute(
                "INSERT OR REPLACE INTO decoding VALUES (?, ?)", (execution, facts.decoding)
            )
        source = None if facts.source is None else self._put_source(facts.source, expected=False)
        for dataset in datasets:
            self.database.execute(
                "INSERT OR IGNORE INTO dataset VALUES (?, ?, ?)", (dataset, execution, source)
            )
            self.database.execute("INSERT OR IGNORE INTO manifest (dataset) VALUES (?)", (dataset,))

    def put_artifact(self, digest: bytes, kind: str) -> int:
        """Write an artifact of a kind and return its identifier."""
        return self._artifact(digest, kind)

    # what rows refer to ---------------------------------------------------------------------------

    def _put_flow(self, flow: Flow) -> int:
        if flow.kind == "Source":
            return self._put_source(flow.digest, expected=False)
        artifact = self._artifact(flow.digest, flow.kind)
        if flow.size_bytes is not None:
            self.database.execute(
                "UPDATE artifact SET bytes = ? WHERE id = ? AND bytes IS NULL",
                (flow.size_bytes, artifact),
            )
        return artifact

    def _put_source(self, digest: bytes, *, expected: bool) -> int:
        """Write a source; ``expected``: the store should hold its listing."""
        artifact = self._artifact(digest, "Source")
        self.database.execute(
            "INSERT INTO source (id, digest, expected) VALUES (?, ?, ?) ON CONFLICT (id)"
            " DO UPDATE SET expected = 1, state = CASE state WHEN 'read' THEN state END"
            " WHERE excluded.expected AND NOT expected",
            (artifact, digest, int(expected)),
        )
        return artifact

    def _put_artifact(self, digest: bytes, kind: str) -> int:
        found = self._row("SELECT id, kind FROM artifact WHERE digest = ?", (digest,))
        if found is None:
            (made,) = self._row(
                "INSERT INTO artifact (digest, kind) VALUES (?, ?) RETURNING id", (digest, kind)
            )
            return made
        artifact, known = found
        if kind and (not known or kind < known):
            self.database.execute("UPDATE artifact SET kind = ? WHERE id = ?", (kind, artifact))
        return artifact

    def _put_stub(self, record: str) -> int:
        self.database.execute("INSERT OR IGNORE INTO execution (record) VALUES (?)", (record,))
        return self._row("SELECT id FROM execution WHERE record = ?", (record,))[0]

    # problems -------------------------------------------------------------------------------------

    def put_problem(self, key: str, what: str) -> None:
        """Write what is wrong under a key; it hides nothing else."""
        self.database.execute("INSERT OR REPLACE INTO problem VALUES (?, ?)", (key, what))

    def drop_problem(self, key: str) -> None:
        """Forget what was wrong under a key."""
        self.database.execute("DELETE FROM problem WHERE key = ?", (key,))

    def _row(self, sql: str, values: tuple[object, ...]) -> Any:
        return self.database.execute(sql, values).fetchone()
