"""Verifying: every byte of a store is read and held against its name, and nothing is changed.

The names of blobs, trees and graphs are digests of what they hold; a result has to agree with the
record of its execution, whose key is the digest of what it was made of. What a value refers to has
to be there. Whatever else lies in the store is foreign.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from components.contract.digests import digest
from components.contract.errors import UserError
from components.contract.tree import Tree
from pipelines.disk.scratch import scratch_folder
from pipelines.runs.quarantine import move_to_quarantine
from pipelines.runs.records import RunRecord, parse_record
from pipelines.runs.release_log_entries import parse_entry
from pipelines.runs.results import disagreement, read_result, read_statement
from pipelines.runs.workspace import workspace_root
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import (
    RUNS,
    blob_key,
    graph_key,
    kind_of,
    release_key,
    release_log_key,
    result_key,
    tree_key,
)
from pipelines.stores.store import KeyMissing, Store, is_key

_THREADS = 8
_ELSEWHERE = "kubeflow"
"""The engine whose intermediate artifacts stay in the bucket of the cluster."""

State = Literal["damaged", "missing", "foreign"]


@dataclass(frozen=True)
class ObjectFault:
    """One object that is not as it should be.

    Attributes:
        place: Its key in the store, or the path of a file of a release folder.
        state: ``damaged``, ``missing`` (something refers to it), or ``foreign`` (slimline wrote no
            such thing).
        what: What is wrong with it.
    """

    place: str
    state: State
    what: str


class _DamageError(Exception):
    """What lies under a key is not what its name says."""


def verify_store(store: Store) -> tuple[int, list[ObjectFault]]:
    """Read everything in a store.

    Args:
        store: Opened without a cache before it.

    Returns:
        How many objects there are, and each that is damaged, missing or foreign.

    Raises:
        UserError: The store cannot be reached.
    """
    keys = list(store.list(""))
    found = _check(store, keys)
    found += [
        ObjectFault(name, "foreign", "lies under a name that slimline gives nothing")
        for name in store.foreign()
    ]
    return len(keys), sorted(found, key=lambda finding: finding.place)


def verify_run(store: Store, run: str) -> tuple[int, list[ObjectFault]]:
    """Read what a run left, and everything that it refers to.

    Args:
        store: Opened without a cache before it.
        run: Identifier of a run of which there is something in the store.

    Returns:
        As ``verify_store``.
    """
    keys = list(store.list(f"{RUNS}{run}/"))
    for key in keys:
        if kind_of(key) == "run":
            keys += _beside(store, key)
    found = _check(store, list(dict.fromkeys(keys)), follow=True)
    return len(keys), sorted(found, key=lambda finding: finding.place)


def quarantine_damaged(store: Store, faults: Iterable[ObjectFault]) -> None:
    """Move what is damaged out of the way; what is no regular file the next writer moves.

    Args:
        store: Where.
        faults: What ``verify_store`` or ``verify_run`` found; what is foreign stays, and entries of
            a log of releases, which nothing makes again.
    """
    for fault in faults:
        if fault.state == "damaged" and kind_of(fault.place) != "log entry":
            move_to_quarantine(store, fault.place)


def _beside(store: Store, key: str) -> Iterator[str]:
    """Yield the keys that belong to a run and that nothing refers to, where they are there."""
    try:
        record = parse_record(store.get(key))
    except (KeyMissing, ValueError):
        return
    keys = [graph_key(record.graph_digest), release_key(record.name, record.run)]
    keys += [result_key(str(step["key"])) for step in record.steps.values() if step.get("key")]
    yield from (key for key in keys if is_key(key) and store.stat(key))


def _check(store: Store, keys: list[str], *, follow: bool = False) -> list[ObjectFault]:
    """Check values, and with ``follow`` also those that they refer to."""
    found: list[ObjectFault] = []
    sizes: dict[str, int | None] = {}
    with scratch_folder(workspace_root(store), f"verify-{id(found):x}") as scratch:
        waiting, seen = keys, set(keys)
        references: dict[str, tuple[str, int | None]] = {}
        while waiting:
            checked = call_each(
                lambda key: _check_one(store, key, scratch), ((key,) for key in waiting), _THREADS
            )
            for key, (size, finding, refers) in zip(waiting, checked, strict=True):
                sizes[key] = size
                found += [finding] if finding else []
                for other, expected in refers.items():
                    references.setdefault(other, (key, expected))
            waiting = [key for key in references if follow and key not in seen and is_key(key)]
            seen |= set(waiting)
    named = {finding.place for finding in found}
    for other, (key, expected) in references.items():
        if other in named and sizes.get(other) is not None:
            continue
        if sizes.get(other) is None:
            found = [finding for finding in found if finding.place != other]
            found.append(_absent(store, other, key))
        elif expected is not None and sizes[other] != expected:
            what = f"has {sizes[other]} bytes, and {key} says {expected}"
            found.append(ObjectFault(key, "damaged", f"is wrong about {other}, which {what}"))
    return found


def _absent(store: Store, key: str, by: str) -> ObjectFault:
    """Say of a value that is not there what refers to it."""
    if is_key(key) and key in set(store.list(key)):
        return ObjectFault(key, "damaged", f"is no regular file; {by} refers to it")
    return ObjectFault(key, "missing", f"is not there; {by} refers to it")


_Checked = tuple[int | None, ObjectFault | None, Mapping[str, int | None]]
"""Size of a value, what is wrong with it, and the keys that it refers to with their sizes."""


def _check_one(store: Store, key: str, scratch: Path) -> _Checked:
    kind, size = kind_of(key) or "", 0
    if kind == "quarantine":
        return size, None, {}
    try:
        stat = store.stat(key)
        if stat is None:
            return None, ObjectFault(key, "damaged", "is no regular file"), {}
        size = stat.size_bytes
        if not kind:
            return size, ObjectFault(key, "foreign", "is nothing that slimline writes"), {}
        if kind == "blob":
            _check_blob(store, key, scratch)
        check = _CHECKS.get(kind)
        return size, None, dict(check(store, key, store.get(key))) if check else {}
    except KeyMissing:  # removed since it was listed
        return None, None, {}
    except _DamageError as error:
        what = str(error)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        what = f"is no {_NOUNS[kind]}"
    except UserError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        what = f"cannot be read: {error.what}"
    return size, ObjectFault(key, "damaged", what), {}


def _check_blob(store: Store, key: str, scratch: Path) -> None:
    path = scratch / key.rpartition("/")[2]
    try:
        found = store.fetch(key, path, link=True)
    finally:
        path.unlink(missing_ok=True)
    if found != path.name:
        raise _DamageError(f"holds bytes of the sha256 {found}")


_References = Iterable[tuple[str, int | None]]


def _trees(digests: Iterable[str]) -> _References:
    return [(tree_key(tree), None) for tree in digests]


def _check_tree(_store: Store, key: str, data: bytes) -> _References:
    tree = Tree.from_json(json.loads(data))
    if tree_key(tree.digest) != key:
        raise _DamageError(f"holds the tree {tree.digest}")
    return [(blob_key(entry.sha256), entry.size_bytes) for entry in tree.entries]


def _check_result(store: Store, key: str, data: bytes) -> _References:
    result = read_result(data)
    if fault := disagreement(store, key.removeprefix("ac/").removesuffix(".json"), result):
        raise _DamageError(fault)
    return [*_trees(result.outputs.values()), (result.record, None)]


def _check_graph(_store: Store, key: str, data: bytes) -> _References:
    found = digest("graph", json.loads(data))
    if graph_key(found) != key:
        raise _DamageError(f"holds the graph {found}")
    return ()


def _check_run(_store: Store, key: str, data: bytes) -> _References:
    record: RunRecord = parse_record(data)
    if key.split("/")[1] != record.run:
        raise _DamageError(f"is the record of the run {record.run}")
    references: list[tuple[str, int | None]] = []
    for step in record.steps.values():
        if named := step.get("record"):
            references.append((named, None))
        if record.engine != _ELSEWHERE:
            references += _trees(step.get("outputs", {}).values())
    return references


def _check_step(_store: Store, key: str, data: bytes) -> _References:
    statement = read_statement(data)
    predicate = json.loads(data)["predicate"]
    ingredients = predicate["buildDefinition"]["internalParameters"]
    if statement.key is not None and digest("step", ingredients) != statement.key:
        raise _DamageError("its key is not that of what it says it was made of")
    if predicate["runDetails"]["builder"]["id"].endswith(f"/{_ELSEWHERE}"):
        return ()
    _, run, _, name = key.split("/")
    if predicate["runDetails"]["metadata"]["invocationId"] != f"{run}/{name.split('.')[0]}":
        raise _DamageError("is the record of another step")
    return _trees(statement.outputs.values())


def _check_release(_store: Store, key: str, data: bytes) -> _References:
    note = cast("dict[str, Any]", json.loads(data))
    if f"{note['run']}.json" != key.rpartition("/")[2]:
        raise _DamageError(f"is the note of the run {note['run']}")
    tree = note["release"]
    if not isinstance(tree, str):
        raise _DamageError("names no release")
    return _trees([tree])


def _check_log_entry(_store: Store, key: str, data: bytes) -> _References:
    """The chain of entries is ``read_log``'s to follow: here each is looked at alone."""
    entry = parse_entry(data)
    if release_log_key(entry.name, entry.seq) != key:
        raise _DamageError(f"is entry {entry.seq} of the releases of {entry.name}")
    return _trees([entry.release])


def _check_ledger(_store: Store, key: str, data: bytes) -> _References:
    note = json.loads(data)
    if f"{note['run']}.{note['step']}.json" != key.rpartition("/")[2]:
        raise _DamageError(f"is the note of {note['run']}/{note['step']}")
    return ()


def _check_object(_store: Store, _key: str, data: bytes) -> _References:
    if not isinstance(json.loads(data), dict):
        raise _DamageError("holds no JSON object")
    return ()


_CHECKS: Mapping[str, Callable[[Store, str, bytes], _References]] = {
    "tree": _check_tree,
    "result": _check_result,
    "graph": _check_graph,
    "run": _check_run,
    "progress": _check_object,
    "step": _check_step,
    "release": _check_release,
    "log entry": _check_log_entry,
    "champion": _check_object,
    "signature": _check_object,
    "ledger": _check_ledger,
}
"""Logs may hold anything, claims may be cut short, and quarantine holds what is damaged."""

_NOUNS = {
    "blob": "blob",
    "tree": "file tree",
    "result": "result of a step",
    "graph": "graph",
    "run": "record of a run",
    "progress": "progress of a run",
    "step": "record of an execution",
    "release": "note on a release",
    "log entry": "entry of a log of releases",
    "champion": "champion.json",
    "signature": "signature",
    "ledger": "note of the ledger",
}
