"""Releases as runs leave them in a store: a tree, its blobs, and the note of the run."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipelines.runs.releases.registry import register_release
from pipelines.runs.releases.release_log_entries import LogEntry
from pipelines.stores.store import Store
from tests.data.trees import put_tree

NAME = "faces"


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
    release = put_tree(store, files).digest
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
