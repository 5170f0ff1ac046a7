"""Releases: which run registered which one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.lineage.index.facts import digest_bytes, text
from pipelines.lineage.index.inserting import Inserter
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import kind_of, releases_prefix
from pipelines.stores.store import KeyMissing, Store

RELEASES = "releases/"
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


def read_releases(
    store: Store, database: sqlite3.Connection, names: Iterable[str] | None
) -> dict[str, Note | str]:
    """Read the notes that the index does not hold.

    Args:
        store: Which store.
        database: Its index.
        names: Of the releases; None are all.

    Returns:
        By key each note, or what is wrong with it.

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
    return {key: note for key, note in zip(wanted, notes, strict=True) if note is not None}


def insert_releases(inserter: Inserter, notes: dict[str, Note | str]) -> None:
    """Write notes that were read."""
    database = inserter.database
    for key, note in notes.items():
        if isinstance(note, str):
            inserter.put_problem(key, note)
            continue
        inserter.drop_problem(key)
        database.execute(
            "INSERT OR IGNORE INTO release (name, run, artifact, at) VALUES (?, ?, ?, ?)",
            (note.name, note.run, inserter.put_artifact(note.release, "Release"), note.at),
        )
        database.execute("UPDATE run SET stale = 1 WHERE run = ?", (note.run,))


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
