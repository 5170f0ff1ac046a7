"""Releases: which run registered which one, and how each stands by the log."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.lineage.index.facts import digest_bytes, text
from pipelines.lineage.index.inserting import Inserter
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.releases.release_log_entries import ReleaseLog
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import (
    RELEASES,
    kind_of,
    log_sequence,
    release_log_key,
    releases_prefix,
)
from pipelines.stores.store import KeyMissing, Store

_THREADS = 32


@dataclass(frozen=True)
class Note:
    """A run has published a release.

    Attributes:
        name: Of the releases.
        run: Identifier of the run.
        release: Its digest.
        at: When, ISO 8601.
    """

    name: str
    run: str
    release: bytes
    at: str


@dataclass(frozen=True)
class ReadReleases:
    """What was read of releases.

    Attributes:
        notes: By key each note, or what is wrong with it.
        logs: Of every name.
    """

    notes: dict[str, Note | str]
    logs: tuple[ReleaseLog, ...]


def read_releases(
    store: Store, database: sqlite3.Connection, names: Iterable[str] | None
) -> ReadReleases:
    """Read the notes that the index does not hold, and the logs.

    Args:
        store: Which store.
        database: Its index.
        names: Of the releases; None are all.

    Raises:
        UserError: The store cannot be read.
    """
    prefixes = [RELEASES] if names is None else [releases_prefix(name) for name in sorted(names)]
    keys = [key for prefix in prefixes for key in store.list(prefix)]
    known = {
        f"{releases_prefix(name)}{run}.json"
        for name, run in database.execute("SELECT name, run FROM release")
    }
    wanted = [key for key in keys if kind_of(key) == "release" and key not in known]
    notes = call_each(lambda key: _note(store, key), ((key,) for key in wanted), _THREADS)
    logged = {key.split("/")[1] for key in keys if log_sequence(key)}
    logs = call_each(lambda name: read_log(store, name), ((name,) for name in sorted(logged)), 8)
    found = {key: note for key, note in zip(wanted, notes, strict=True) if note is not None}
    return ReadReleases(found, logs)


def insert_releases(inserter: Inserter, read: ReadReleases) -> None:
    """Write what was read of releases."""
    database = inserter.database
    for key, note in read.notes.items():
        if isinstance(note, str):
            inserter.put_problem(key, note)
            continue
        inserter.drop_problem(key)
        artifact = inserter.put_artifact(note.release, "Release")
        database.execute(
            "INSERT OR IGNORE INTO release (name, run, artifact, at) VALUES (?, ?, ?, ?)",
            (note.name, note.run, artifact, note.at),
        )
        database.execute("INSERT OR IGNORE INTO worth (artifact) VALUES (?)", (artifact,))
        database.execute("UPDATE run SET stale = 1 WHERE run = ?", (note.run,))
    for log in read.logs:
        _insert_log(inserter, log)


def _insert_log(inserter: Inserter, log: ReleaseLog) -> None:
    """Write a log as far as it can be trusted, over what was there of it."""
    database = inserter.database
    database.execute("DELETE FROM release_log WHERE name = ?", (log.name,))
    database.executemany(
        "INSERT INTO release_log VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                log.name, entry.seq, entry.kind, digest_bytes(entry.release), entry.run,
                entry.actor, entry.reason, entry.at,
            )
            for entry in log.entries
        ],
    )  # fmt: skip
    prefix = f"{releases_prefix(log.name)}log/"
    database.execute("DELETE FROM problem WHERE key >= ? AND key < ?", (prefix, f"{prefix[:-1]}0"))
    if log.bad is not None:
        inserter.put_problem(release_log_key(log.name, log.bad), log.faults[0])


def settle_standings(database: sqlite3.Connection) -> None:
    """Write how each release stands, by the log and by what its manifest says."""
    for (name,) in database.execute("SELECT DISTINCT name FROM release").fetchall():
        log = database.execute(
            "SELECT kind, release, run FROM release_log WHERE name = ? ORDER BY seq", (name,)
        ).fetchall()
        rows = database.execute(
            "SELECT release.id, artifact.digest, release.run, worth.qualified, worth.empty"
            " FROM release JOIN artifact ON artifact.id = release.artifact"
            " LEFT JOIN worth ON worth.artifact = release.artifact WHERE release.name = ?",
            (name,),
        ).fetchall()
        database.executemany(
            "UPDATE release SET state = ? WHERE id = ? AND state IS NOT ?1",
            [
                (_standing(log, digest, run, qualified, empty), release)
                for release, digest, run, qualified, empty in rows
            ],
        )


def _standing(
    log: Sequence[tuple[str, bytes, str]],
    release: bytes,
    run: str,
    qualified: int | None,
    empty: int | None,
) -> str:
    """Say how a release stands, in the words of ``slimline releases``.

    Args:
        log: Kind, release and run of every entry, oldest first.
        release: Its digest.
        run: Which run published it.
        qualified: What its manifest says; None where it cannot be read.
        empty: Whether the run had no winner.
    """
    times = [n for n, (_, digest, of) in enumerate(log) if (digest, of) == (release, run)]
    if times:
        if times[-1] == len(log) - 1:
            return "champion"
        return "rolled back" if log[times[-1] + 1][0] == "rollback" else "past"
    if empty:
        return "no winner"
    if qualified is None:
        return "unknown"
    if not qualified:
        return "unqualified"
    return "candidate" if not log or run > log[-1][2] else "older"  # runs sort by their start


def _note(store: Store, key: str) -> Note | str | None:
    """Return the note under a key, what is wrong with it, or None where it has gone."""
    _, name, file = key.split("/")
    try:
        value = json.loads(store.get(key))
        note = Note(name, text(value["run"]), digest_bytes(value["release"]), text(value["at"]))
    except KeyMissing:
        return None
    except (ValueError, LookupError, TypeError, RecursionError):
        return "is no note on a release"
    return note if f"{note.run}.json" == file else "is the note of another run"
