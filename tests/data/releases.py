"""Releases as runs leave them in a store: a tree, its blobs, and the note of the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contract.digests import canonical_json
from components.contract.tree import Entry, Tree
from pipelines.runs.registry import register_release
from pipelines.runs.release_log_entries import LogEntry
from pipelines.stores.layout import blob_key, tree_key
from pipelines.stores.store import Store

NAME = "faces"


def put_files(store: Store, files: Mapping[str, bytes]) -> str:
    """Keep an artifact of these files; return its tree digest."""
    entries: list[Entry] = []
    for path, data in sorted(files.items()):
        sha = hashlib.sha256(data).hexdigest()
        store.put_if_absent(blob_key(sha), data)
        entries.append(Entry(path, len(data), sha))
    tree = Tree(tuple(entries))
    store.put_if_absent(tree_key(tree.digest), canonical_json(tree.to_json()))
    return tree.digest


def put_release(
    store: Store, run: str, *, name: str = NAME, model: bytes | None = None, **manifest: Any
) -> str:
    """Keep a release of a run with a small manifest, note it, and return its tree digest."""
    data = model or f"model of {run}".encode()
    content = {
        "schema": 2,
        "name": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "qualified": True,
        "reasons": [],
        **manifest,
    }
    files = {"model.tflite": data, "manifest.json": json.dumps(content).encode()}
    release = put_files(store, files)
    register_release(store, name, run, release)
    return release


def entry_of(release: str, *, run: str = "", kind: str = "promote", **changes: Any) -> LogEntry:
    """Return an entry that promotes a release."""
    given: dict[str, Any] = {
        "name": NAME,
        "seq": 1,
        "previous": None,
        "kind": kind,
        "release": release,
        "run": run or f"{NAME}-{release[:4]}",
        "actor": "ann@desk",
        "trained_by": "bob@desk",
        "reason": "better",
        "at": "2026-11-26T20:00:00.000+00:00",
        "forced": False,
        "gate": None,
        **changes,
    }
    return LogEntry(**given)


def rewrite(store: Store, key: str, data: bytes) -> None:
    """Overwrite or write a value, as somebody with access to the store can."""
    stat = store.stat(key)
    if stat is None:
        assert store.put_if_absent(key, data)
    else:
        assert store.replace_if_match(key, data, stat.version)


def remove(store: Store, key: str) -> None:
    """Remove a value, as somebody with access to the store can."""
    stat = store.stat(key)
    assert stat
    assert store.delete_if_match(key, stat.version)


def path_of(store: Store, key: str) -> Path:
    """Return the file of a value in a directory store."""
    return Path(store.uri) / key
