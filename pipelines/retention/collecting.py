"""Garbage collection in two phases: ``pipelines/runs/removal/condemned.py`` says what writers do.

    phase 1   mark; write down what is not marked, with its version (``gc/<id>.json``); only then
              look which runs go on
    phase 2   once the wait is over and those runs have ended: mark again; of what is written down
              and still not marked remove each value that has the version written down

Results go before the trees that they name, and trees before their blobs, so that whoever is killed
in between leaves what nothing refers to, never what refers to nothing. A tombstone is put before a
value goes. Any number of collections may go on at once: a value has one version, and goes once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from components.contract.errors import UserError
from pipelines.retention.marking import Marked, mark
from pipelines.runs.journal import announce
from pipelines.runs.moments import now
from pipelines.runs.records import damaged_record, list_runs
from pipelines.runs.removal.condemned import Collection, collections, parse_collection
from pipelines.runs.removal.tombstones import (
    Tombstone,
    named_digest,
    put_tombstone,
    withdraw_tombstone,
)
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import collection_key, kind_of
from pipelines.stores.store import KeyMissing, Stat, Store

KEEP_S = 30 * 86400.0
"""Runs younger than this keep all that they made."""

WAIT_S = 86400.0
"""Time between the two phases: far more than a writer goes without reading the list."""

_ORDER = ("result", "tree", "blob")
_THREADS = 8


@dataclass(frozen=True)
class Due:
    """How it stands with a collection that has not finished.

    Attributes:
        collection: Which one.
        after_s: So many seconds are left of the wait; 0 when it is over.
        runs: Runs that it waits for.
    """

    collection: Collection
    after_s: float
    runs: tuple[str, ...]

    @property
    def now(self) -> bool:
        """Whether its values may be removed."""
        return not self.after_s and not self.runs


def unfinished(store: Store, wait_s: float, present: datetime) -> list[Due]:
    """Return the collections that have not finished, oldest first.

    Args:
        store: Where.
        wait_s: How long to wait after a list was written.
        present: The time, UTC.

    Raises:
        UserError: One is damaged.
    """
    damaged: list[str] = []
    waiting = [one for one in collections(store, damaged) if one.finished is None]
    if damaged:
        raise UserError(
            f"{store.uri}: {damaged[0]} is damaged, so nobody knows what it was to remove",
            f"slimline verify --quarantine --store {store.uri}, then slimline gc condemns anew",
        )
    if not waiting:
        return []
    going = {run.run for run in list_runs(store) if run.outcome == "running"}
    found: list[Due] = []
    for one in waiting:
        age_s = (present - datetime.fromisoformat(one.at)).total_seconds()
        # Killed before it could say which runs went on: then any of now may have.
        runs = going if one.alive is None else going & set(one.alive)
        found.append(Due(one, max(0.0, wait_s - age_s), tuple(sorted(runs))))
    return found


def condemnable(store: Store, keep_s: float, present: datetime) -> tuple[dict[str, str], int]:
    """Return what nothing rests on.

    Args:
        store: Which store.
        keep_s: See ``mark``.
        present: The time, UTC.

    Returns:
        By key the version of each value, and their length together.

    Raises:
        UserError: A record is damaged.
    """
    keys = list(store.list(""))
    marked = mark(store, keys, keep_s, present)
    lost = [key for key in keys if kind_of(key) in _ORDER and key not in marked.keys]
    found: dict[str, str] = {}
    size_bytes = 0
    for key, stat in zip(lost, store.stat_many(lost), strict=True):
        if stat:
            found[key] = stat.version
            size_bytes += stat.size_bytes
    return found, size_bytes


def condemn(
    store: Store, *, actor: str, keep_s: float = KEEP_S, present: datetime | None = None
) -> Collection | None:
    """Do phase 1: write down what nothing rests on.

    Args:
        store: Which store.
        actor: Who asks for it.
        keep_s: See ``mark``.
        present: The time, UTC; None is now.

    Returns:
        What was written; None where something rests on everything.

    Raises:
        UserError: A record is damaged, or the store cannot be written.
    """
    at = present or datetime.now(UTC)
    condemned, size_bytes = condemnable(store, keep_s, at)
    if not condemned:
        return None
    name = f"{at:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    written = datetime.now(UTC) if present is None else present
    made = Collection(name, written.isoformat(), actor, keep_s, condemned, size_bytes)
    key = collection_key(name)
    announce(store, "gc", name)
    store.put_if_absent(key, made.to_bytes())
    # Whoever begins from here on reads the list before it relies on anything.
    alive = tuple(run.run for run in list_runs(store) if run.outcome == "running")
    return _replaced(store, key, replace(made, alive=alive))


def collect(
    store: Store, due: Due, *, keep_s: float = KEEP_S, present: datetime | None = None
) -> Collection:
    """Do phase 2: mark again, and remove what is still condemned and nobody wrote anew.

    Args:
        store: Which store.
        due: Which collection; its time has come.
        keep_s: See ``mark``; the longer of this and of what phase 1 was given counts.
        present: The time, UTC; None is now.

    Returns:
        The collection, finished.

    Raises:
        UserError: A record is damaged, or the store cannot be written.
    """
    assert due.now, "it has to wait"
    one, at = due.collection, present or datetime.now(UTC)
    marked = mark(store, list(store.list("")), max(keep_s, one.keep_s), at)
    announce(store, "gc", one.id)
    removed = [stat for stat in _remove_all(store, one, marked) if stat]
    ended = replace(
        one,
        condemned={},
        finished=(datetime.now(UTC) if present is None else present).isoformat(),
        removed=len(removed),
        removed_bytes=sum(stat.size_bytes for stat in removed),
        spared=len(one.condemned) - len(removed),
    )
    return _replaced(store, collection_key(one.id), ended)


def _remove_all(store: Store, one: Collection, marked: Marked) -> Iterable[Stat | None]:
    for kind in _ORDER:
        keys = [key for key in one.condemned if kind_of(key) == kind and key not in marked.keys]
        yield from call_each(
            lambda key: _remove(store, key, one), ((key,) for key in sorted(keys)), _THREADS
        )


def _remove(store: Store, key: str, one: Collection) -> Stat | None:
    """Remove one value if nobody wrote it anew; return what it was like, None if it stays."""
    stat, stone = store.stat(key), _tombstone(key, one)
    if stat is None:  # an earlier try was killed after it
        return Stat(0, one.condemned[key])
    if stat.version == one.condemned[key]:
        if stone:
            put_tombstone(store, stone)
        if store.delete_if_match(key, one.condemned[key]):
            return stat
    if stone:
        withdraw_tombstone(store, stone)
    return None


def _tombstone(key: str, one: Collection) -> Tombstone | None:
    digest = named_digest(key)
    if digest is None:
        return None
    kind: Literal["blob", "tree"] = "tree" if kind_of(key) == "tree" else "blob"
    return Tombstone(digest, kind, "collected", one.id, one.actor, now())


def _replaced(store: Store, key: str, value: Collection) -> Collection:
    """Write a collection over its earlier form; what another process finished meanwhile stays."""
    while True:
        stat = store.stat(key)
        if stat is None:
            store.put_if_absent(key, value.to_bytes())
            continue
        try:
            there = parse_collection(store.get(key))
        except KeyMissing:
            continue
        except ValueError as error:
            raise damaged_record(store, key) from error
        if there.finished or there == value:
            return there
        if store.replace_if_match(key, value.to_bytes(), stat.version):
            return value


@dataclass(frozen=True)
class Collecting:
    """What one ``slimline gc`` did, or would do.

    Attributes:
        finished: Collections that removed their values now; of a look that changes nothing, those
            that would.
        waiting: Those that have to wait.
        condemned: What was condemned now, or would be; None where nothing is, or something waits.
    """

    finished: tuple[Collection, ...]
    waiting: tuple[Due, ...]
    condemned: Collection | None


def gc(
    store: Store,
    *,
    actor: str,
    keep_s: float = KEEP_S,
    wait_s: float = WAIT_S,
    dry_run: bool = False,
) -> Collecting:
    """Finish the collections whose time has come; condemn anew where none waits any more.

    Args:
        store: Which store.
        actor: Who asks for it.
        keep_s: Runs younger than so many seconds keep all that they made.
        wait_s: Seconds between the two phases.
        dry_run: Change nothing.

    Raises:
        UserError: A record or an earlier collection is damaged, or the store fails.
    """
    present = datetime.now(UTC)
    pending = unfinished(store, wait_s, present)
    due = [one for one in pending if one.now]
    waiting = tuple(one for one in pending if not one.now)
    if dry_run:
        finished = tuple(one.collection for one in due)
        if waiting:
            return Collecting(finished, waiting, None)
        before = {key: version for one in finished for key, version in one.condemned.items()}
        found, size_bytes = condemnable(store, keep_s, present)
        new = {key: version for key, version in found.items() if before.get(key) != version}
        would = Collection("", present.isoformat(), actor, keep_s, new, size_bytes)
        return Collecting(finished, (), would if new else None)
    finished = tuple(collect(store, one, keep_s=keep_s) for one in due)
    return Collecting(
        finished, waiting, None if waiting else condemn(store, actor=actor, keep_s=keep_s)
    )
