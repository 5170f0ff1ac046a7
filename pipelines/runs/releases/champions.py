"""``champion.json``: what an app downloads, derived from the log of releases.

It is a cache of the log. Whoever reads it through ``champion_of`` and finds it behind the log, or
not as the log says, writes it again; so no write has to reach two objects at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from components.artifacts.qualification import MANIFEST
from components.artifacts.released_files import takers_in
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.tree import Tree
from pipelines.runs.releases.release_log import is_release_name, read_log
from pipelines.runs.releases.release_log_entries import LogEntry, ReleaseLog
from pipelines.stores.layout import blob_key, champion_key, public_key, signature_key, tree_key
from pipelines.stores.store import KeyMissing, Stat, Store

SCHEMA = 1


def champion_of(store: Store, name: str) -> dict[str, Any] | None:
    """Return what ``champion.json`` says, and repair it where it does not say that.

    On a log that cannot be trusted it is left as it is: it is evidence. A store that cannot be
    written is read all the same.

    Args:
        store: Where.
        name: Of the releases.

    Returns:
        Its content by the log; None where no release was ever promoted.

    Raises:
        UserError: The log is not what was written, the champion's files are missing or damaged, or
            the store cannot be read.
    """
    if not is_release_name(name):
        return None
    key = champion_key(name)
    while True:
        # The version comes first: what is written after it, by whoever knows more, makes the swap
        # below fail.
        stat = store.stat(key)
        held = _held(store, key)
        log = read_log(store, name).check()
        if log.champion is None:
            return None
        content = champion_content(store, log)
        data = canonical_json(content)
        if held == data or _put(store, key, data, stat):
            return content


def _put(store: Store, key: str, data: bytes, before: Stat | None) -> bool:
    """Write ``champion.json``; False where somebody else did since it had this version."""
    try:
        if before is None:
            return store.put_if_absent(key, data)
        return store.replace_if_match(key, data, before.version)
    except UserError:  # the store cannot be written now; the log has been read nevertheless
        return True


def champion_content(store: Store, log: ReleaseLog) -> dict[str, Any]:
    """Return the content of ``champion.json`` by a log that has a champion.

    Args:
        store: Where the release is.
        log: Without faults.

    Raises:
        UserError: The files of the champion, or of the one before it, cannot be listed.
    """
    line = log.line
    champion = line[-1]
    key = signature_key(log.name, champion.seq)
    signature = None
    if (data := _held(store, key)) is not None:
        digest = sha256(data).hexdigest()
        signature = {
            "key": key,
            "sha256": digest,
            "size": len(data),
            **_url(champion, digest),
        }
    return {
        "schema": SCHEMA,
        "name": log.name,
        **_short(store, champion),
        "entry": log.digests[-1],
        "signature": signature,
        "previous": _short(store, line[-2]) if len(line) > 1 else None,
        "rollout": 100,
    }


def _short(store: Store, entry: LogEntry) -> dict[str, Any]:
    tree = _tree(store, entry)
    takers = _takers(store, tree, entry)
    return {
        "seq": entry.seq,
        "release": entry.release,
        "run": entry.run,
        "at": entry.at,
        "files": [
            {
                "path": item.path,
                "sha256": item.sha256,
                "size": item.size_bytes,
                "devices": takers.get(item.path, "all"),
                **_url(entry, item.sha256),
            }
            for item in tree.entries
        ],
    }


def _takers(store: Store, tree: Tree, entry: LogEntry) -> dict[str, list[str]]:
    """Return by file the devices that it is for, of files that are not for every device.

    Raises:
        UserError: There are several model files, and nothing tells whose they are.
    """
    manifest = next((item for item in tree.entries if item.path == MANIFEST), None)
    data = _held(store, blob_key(manifest.sha256)) if manifest else None
    try:
        return takers_in(json.loads(data)) if data is not None else _none_told(store, tree, entry)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _none_told(store, tree, entry)


def _none_told(store: Store, tree: Tree, entry: LogEntry) -> dict[str, list[str]]:
    """Return that every device takes the one file, as no manifest says anything else."""
    if sum(item.path.endswith(".tflite") for item in tree.entries) > 1:
        raise UserError(
            f"the manifest of the release {entry.release[:8]} of run {entry.run}, which says which "
            f"device takes which file, is missing or damaged in the store {store.uri}",
            f"slimline run CONFIG makes it again; or slimline rollback {entry.name} --to RELEASE "
            "--reason TEXT",
        )
    return {}


def _url(entry: LogEntry, digest: str) -> Mapping[str, str]:
    """Return where apps find a file, if there are addresses for them."""
    return {"url": f"{entry.url}/{public_key(entry.name, digest)}"} if entry.url else {}


def _tree(store: Store, entry: LogEntry) -> Tree:
    """Return the files of the release of an entry.

    Raises:
        UserError: Their list is missing or damaged.
    """
    try:
        tree = Tree.from_json(json.loads(store.get(tree_key(entry.release))))
    except (KeyMissing, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        tree = None
    if tree is None or tree.digest != entry.release:
        raise UserError(
            f"the list of files of the release {entry.release[:8]} of run {entry.run} is missing "
            f"or damaged in the store {store.uri}",
            f"slimline run CONFIG makes it again; or slimline rollback {entry.name} --to RELEASE "
            "--reason TEXT",
        )
    return tree


def _held(store: Store, key: str) -> bytes | None:
    try:
        return store.get(key)
    except KeyMissing:
        return None
