"""Files of artifacts, read from the store, or why they cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from components.contract.tree import Tree
from pipelines.runs.removal.tombstones import Tombstone, rest_of, tombstone_of
from pipelines.stores.layout import blob_key, tree_key
from pipelines.stores.store import KeyMissing, Store

State = Literal["read", "absent", "elsewhere", "erased", "missing", "damaged"]


WHY_UNREAD: Mapping[State, str] = {
    "absent": "an earlier version kept none", "missing": "the store does not hold it",
    "damaged": "it is damaged", "erased": "it was collected or erased",
    "elsewhere": "it is in the bucket of a cluster (slimline sync brings it home)",
}  # fmt: skip
"""In words, of every state but that of what was read."""


@dataclass(frozen=True)
class LostValue:
    """Why a value cannot be read.

    Attributes:
        key: Where it should be.
        state: ``missing``, ``damaged``, or ``erased`` where there is a tombstone.
        what: In words, for a problem.
        stone: The tombstone.
    """

    key: str
    state: State
    what: str
    stone: Tombstone | None = None


@dataclass(frozen=True)
class Wanted:
    """Files of an artifact that rows are to be made of.

    Attributes:
        owner: Identifier of the artifact, or of a page.
        digest: Of its tree, hexadecimal.
        files: sha256 by path of the files that records name; empty where none does.
        elsewhere: Whether it may have stayed in the bucket of a cluster.
    """

    owner: int
    digest: str
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    elsewhere: bool = False


@dataclass(frozen=True)
class ReadFiles:
    """Files that were read.

    Attributes:
        content: Bytes by path.
        listing: sha256 by path of all files that are known.
        digests: What they were read from.
    """

    content: Mapping[str, bytes]
    listing: Mapping[str, str]
    digests: tuple[bytes, ...]


def read_files(
    store: Store, wanted: Wanted, chosen: Callable[[str], bool], *, needed: str
) -> ReadFiles | LostValue:
    """Read some files of an artifact; its tree is asked where no record names the one needed.

    Args:
        store: Where.
        wanted: Which artifact.
        chosen: Whether a path is to be read.
        needed: A path without which the tree has to be asked.

    Raises:
        UserError: The store cannot be read.
    """
    listing, digests = wanted.files, list[bytes]()
    if needed not in listing:
        found = read_tree(store, wanted.digest)
        if isinstance(found, LostValue):
            return found
        listing = {entry.path: entry.sha256 for entry in found.entries}
        digests.append(bytes.fromhex(wanted.digest))
    content: dict[str, bytes] = {}
    for path, sha in listing.items():
        if not chosen(path):
            continue
        data = read_blob(store, sha)
        if isinstance(data, LostValue):
            return data
        content[path] = data
        digests.append(bytes.fromhex(sha))
    return ReadFiles(content, listing, tuple(digests))


def read_tree(store: Store, digest: str) -> Tree | LostValue:
    """Read a tree; its digest is checked."""
    key = tree_key(digest)
    try:
        tree = Tree.from_json(json.loads(store.get(key)))
    except KeyMissing:
        return lost(store, key)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return LostValue(key, "damaged", "is no file tree")
    return (
        tree
        if tree.digest == digest
        else LostValue(key, "damaged", f"holds the tree {tree.digest}")
    )


def read_blob(store: Store, sha: str) -> bytes | LostValue:
    """Read a blob; its sha256 is checked."""
    key = blob_key(sha)
    try:
        data = store.get(key)
    except KeyMissing:
        # Of a document from which a person was erased, the rest is kept.
        rest = rest_of(store, sha)
        return lost(store, key) if rest is None else rest
    found = sha256(data).hexdigest()
    return data if found == sha else LostValue(key, "damaged", f"holds bytes of the sha256 {found}")


def lost(store: Store, key: str) -> LostValue:
    """Say why nothing lies under a key: whether it was removed on purpose."""
    stone = tombstone_of(store, key)
    if stone is None:
        return LostValue(key, "missing", "is not there, and a record names it")
    return LostValue(key, "erased", f"was {stone.in_words}", stone)
