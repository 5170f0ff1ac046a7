"""What is checked of each kind of value in a store, but for blobs, whose name says all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, cast

from components.contract.digests import digest
from components.contract.tree import Entry, Tree
from pipelines.runs.actions import parse_action
from pipelines.runs.joined_records import parse_joined
from pipelines.runs.kept.cluster_results import DATASET_FILES, ELSEWHERE, WHOLE, kinds_of
from pipelines.runs.kept.devices_seen import parse_device
from pipelines.runs.kept.kept_sources import parse_pages, read_source
from pipelines.runs.live.cancelling import parse_cancellation
from pipelines.runs.records import DamagedRecordError, RunRecord, parse_record
from pipelines.runs.releases.release_log_entries import parse_entry
from pipelines.runs.removal.condemned import parse_collection
from pipelines.runs.removal.erasures import parse_erasure
from pipelines.runs.removal.tombstones import parse_tombstone
from pipelines.runs.results import disagreement, read_result
from pipelines.runs.statements import Statement, read_statement
from pipelines.stores.layout import (
    announced_by,
    blob_key,
    collection_key,
    config_key,
    erasure_key,
    exclusion_key,
    graph_key,
    release_log_key,
    source_key,
    step_of_record,
    tombstone_key,
    tree_key,
)
from pipelines.stores.store import KeyMissing, Store

MAY_LACK: Final = -1
"""In place of the size of a file tree: it may lack, and so may its blobs; they lie elsewhere."""


class DamageError(Exception):
    """What lies under a key is not what its name says."""


References = Iterable[tuple[str, int | None]]
"""Keys that a value refers to, and the sizes that it says they have; see ``MAY_LACK``."""


def _trees(digests: Iterable[str]) -> References:
    return [(tree_key(tree), None) for tree in digests]


def _check_tree(_store: Store, key: str, data: bytes) -> References:
    tree = Tree.from_json(json.loads(data))
    if tree_key(tree.digest) != key:
        raise DamageError(f"holds the tree {tree.digest}")
    return [(blob_key(entry.sha256), entry.size_bytes) for entry in tree.entries]


def _check_result(store: Store, key: str, data: bytes) -> References:
    result = read_result(data)
    if fault := disagreement(store, key.removeprefix("ac/").removesuffix(".json"), result):
        raise DamageError(fault)
    return [*_trees(result.outputs.values()), (result.record, None)]


def _check_graph(_store: Store, key: str, data: bytes) -> References:
    found = digest("graph", json.loads(data))
    if graph_key(found) != key:
        raise DamageError(f"holds the graph {found}")
    return ()


def _check_document(kind: str) -> Callable[[Store, str, bytes], References]:
    """Return the check of documents of which a digest of this kind is their name."""

    def check(_store: Store, key: str, data: bytes) -> References:
        content: Any = json.loads(data)
        if not isinstance(content, dict):
            raise DamageError(f"is no {NOUNS[kind]}")
        found = digest(kind, cast("Any", content))
        if found != key.rpartition("/")[2].removesuffix(".json"):
            raise DamageError(f"holds the {kind} {found}")
        return ()

    return check


def _check_source(store: Store, key: str, data: bytes) -> References:
    pages = parse_pages(data).pages
    try:
        found = read_source(store, key.rpartition("/")[2].removesuffix(".json"))
    except DamagedRecordError:
        raise DamageError("does not have the digest of the files that its pages list") from None
    if found is None:  # removed since it was read
        raise KeyMissing(key)
    return [(blob_key(page), None) for page in pages]


def _check_joined(store: Store, key: str, data: bytes) -> References:
    prefix = f"{key.rpartition('/')[0]}/steps/"
    references: list[tuple[str, int | None]] = []
    for other, value in parse_joined(data):
        if not other.startswith(prefix):
            raise DamageError(f"holds {other}, which is no record of a step of the run")
        if _differs(store, other, value):
            raise DamageError(f"holds {other} otherwise than it is")
        references.append((other, None))
    joined = {other for other, _ in references}
    for other in store.list(prefix):
        if other not in joined and _is_sound(store, other):
            raise DamageError(f"lacks {other}")
    return references


def _differs(store: Store, key: str, data: bytes) -> bool:
    """Whether a record of a step is whole and other than this."""
    try:
        held = store.get(key)
    except KeyMissing:
        return False
    return held != data and _is_sound(store, key)


def _is_sound(store: Store, key: str) -> bool:
    """Whether a record of a step is whole; where it is not, that is said of it alone."""
    try:
        _check_step(store, key, store.get(key))
    except (DamageError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        return False
    return True


def _check_empty(_store: Store, key: str, data: bytes) -> References:
    if data or announced_by(key) is None:
        raise DamageError("is no empty entry with a day and a time")
    return ()


def _check_run(_store: Store, key: str, data: bytes) -> References:
    record: RunRecord = parse_record(data)
    if key.split("/")[1] != record.run:
        raise DamageError(f"is the record of the run {record.run}")
    references: list[tuple[str, int | None]] = []
    if record.actor:  # what an earlier version ran has none of these
        references += [(config_key(record.config_digest), None)]
        references += [(source_key(source), None) for source in record.sources.values()]
    for step in record.steps.values():
        if named := step.get("record"):
            references.append((named, None))
        if record.engine not in ELSEWHERE:
            references += _trees(step.get("outputs", {}).values())
    return references


def _check_step(store: Store, key: str, data: bytes) -> References:
    statement = read_statement(data)
    if statement.key is not None and digest("step", statement.ingredients) != statement.key:
        raise DamageError("its key is not that of what it says it was made of")
    for output, tree in statement.outputs.items():
        _check_files(store, statement, output, tree)
    if statement.engine in ELSEWHERE:
        return _at_home(store, statement)
    run, step, _ = step_of_record(key)
    if statement.invocation != f"{run}/{step}":
        raise DamageError("is the record of another step")
    return _trees(statement.outputs.values())


def _at_home(store: Store, statement: Statement) -> References:
    """Return what a store has of the results of a cluster, where it has their list of files."""
    kinds = kinds_of(str(statement.ingredients["component"]))
    for output, tree in statement.outputs.items():
        whole = kinds.get(output) in WHOLE
        yield tree_key(tree), None if whole else MAY_LACK
        if kinds.get(output) == "Dataset":
            for entry in _entries(store, tree):
                if entry.path in DATASET_FILES:
                    yield blob_key(entry.sha256), entry.size_bytes


def _entries(store: Store, tree: str) -> tuple[Entry, ...]:
    """Return the files of a tree; none where that is found out when the tree is checked."""
    try:
        return Tree.from_json(json.loads(store.get(tree_key(tree)))).entries
    except (KeyMissing, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ()


def _check_files(store: Store, statement: Statement, output: str, tree: str) -> None:
    """Hold the files that a record names against those of the file tree that it names."""
    named = {path: sha for (port, path), sha in statement.files.items() if port == output}
    if not named:  # as in version 1
        return
    listed = {entry.path: entry.sha256 for entry in _entries(store, tree)}
    if not listed:
        return
    if any(listed.get(path) != sha for path, sha in named.items()):
        raise DamageError(f"names files of {output} that are not those of the tree {tree}")
    if not statement.unlisted_files and len(named) != len(listed):
        raise DamageError(f"names {len(named)} of the {len(listed)} files of {output}")


def _check_release(_store: Store, key: str, data: bytes) -> References:
    note = cast("dict[str, Any]", json.loads(data))
    if f"{note['run']}.json" != key.rpartition("/")[2]:
        raise DamageError(f"is the note of the run {note['run']}")
    tree = note["release"]
    if not isinstance(tree, str):
        raise DamageError("names no release")
    return _trees([tree])


def _check_log_entry(_store: Store, key: str, data: bytes) -> References:
    """The chain of entries is ``read_log``'s to follow: here each is looked at alone."""
    entry = parse_entry(data)
    if release_log_key(entry.name, entry.seq) != key:
        raise DamageError(f"is entry {entry.seq} of the releases of {entry.name}")
    return _trees([entry.release])


def _check_public(_store: Store, key: str, data: bytes) -> References:
    found = sha256(data).hexdigest()
    if found != key.rpartition("/")[2]:
        raise DamageError(f"holds bytes of the sha256 {found}")
    return ()


def _check_ledger(_store: Store, key: str, data: bytes) -> References:
    note = json.loads(data)
    if f"{note['run']}.{note['step']}.json" != key.rpartition("/")[2]:
        raise DamageError(f"is the note of {note['run']}/{note['step']}")
    return ()


def _check_object(_store: Store, _key: str, data: bytes) -> References:
    if not isinstance(json.loads(data), dict):
        raise DamageError("holds no JSON object")
    return ()


def _check_collection(_store: Store, key: str, data: bytes) -> References:
    if collection_key(parse_collection(data).id) != key:
        raise DamageError("is another collection's")
    return ()


def _check_tombstone(_store: Store, key: str, data: bytes) -> References:
    stone = parse_tombstone(data)
    if tombstone_key(stone.digest) != key:
        raise DamageError(f"is the tombstone of {stone.digest}")
    return [(blob_key(stone.instead), None)] if stone.instead else []


def _check_exclusion(_store: Store, key: str, data: bytes) -> References:
    if exclusion_key(json.loads(data)["digest"]) != key:
        raise DamageError("excludes something else")
    return ()


def _check_erasure(_store: Store, key: str, data: bytes) -> References:
    if erasure_key(parse_erasure(data).id) != key:
        raise DamageError("is the certificate of another erasure")
    return ()


def _check_with(parse: Callable[[bytes], object]) -> Callable[[Store, str, bytes], References]:
    """Return the check of values that refer to nothing, by what reads them."""

    def check(_store: Store, _key: str, data: bytes) -> References:
        parse(data)
        return ()

    return check


CHECKS: Mapping[str, Callable[[Store, str, bytes], References]] = {
    "tree": _check_tree,
    "result": _check_result,
    "graph": _check_graph,
    "source": _check_source,
    "config": _check_document("config"),
    "code": _check_document("code"),
    "environment": _check_document("environment"),
    "records": _check_joined,
    "journal": _check_empty,
    "run": _check_run,
    "progress": _check_object,
    "cancellation": _check_with(parse_cancellation),
    "step": _check_step,
    "release": _check_release,
    "release log": _check_log_entry,
    "champion": _check_object,
    "signature": _check_object,
    "public": _check_public,
    "ledger": _check_ledger,
    "collection": _check_collection,
    "tombstone": _check_tombstone,
    "exclusion": _check_exclusion,
    "erasure": _check_erasure,
    "trigger": _check_object,
    "observed": _check_object,
    "ticks": _check_object,
    "launch": _check_object,
    "launch end": _check_object,
    "refusal": _check_object,
    "tick day": _check_object,
    "action": _check_with(parse_action),
    "device": _check_with(parse_device),
}
"""By kind, what a value refers to; it raises ``DamageError``, or what reading another kind of value
raises. Logs may hold anything, claims may be cut short, and quarantine holds what is damaged."""

NOUNS = {
    "blob": "blob",
    "tree": "file tree",
    "result": "result of a step",
    "graph": "graph",
    "source": "listing of a source",
    "config": "configuration",
    "code": "list of files of code",
    "environment": "environment",
    "records": "list of records of executions",
    "journal": "entry of the journal",
    "run": "record of a run",
    "progress": "progress of a run",
    "cancellation": "request to cancel a run",
    "step": "record of an execution",
    "release": "note on a release",
    "release log": "entry of a log of releases",
    "champion": "champion.json",
    "signature": "signature",
    "public": "file of a release for apps",
    "ledger": "note of the ledger",
    "collection": "list of condemned values",
    "tombstone": "tombstone",
    "exclusion": "exclusion",
    "erasure": "certificate of an erasure",
    "trigger": "trigger",
    "observed": "note on what a watch has seen",
    "ticks": "list of evaluations of a trigger",
    "launch": "attempt at a launch",
    "launch end": "end of a launch",
    "refusal": "note on an attempt that could not begin",
    "tick day": "list of evaluations of a day",
    "action": "note on what somebody did",
    "device": "note on a device that was seen",
}
