"""Artifacts of a few bytes, put into a store without a folder of them on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from components.contract.digests import canonical_json
from components.contract.tree import Entry, Tree
from pipelines.stores.layout import blob_key, tree_key
from pipelines.stores.store import Store


def tree_of_bytes(files: Mapping[str, bytes]) -> Tree:
    """The tree of an artifact that holds these files."""
    return Tree(
        tuple(
            Entry(path, len(data), sha256(data).hexdigest()) for path, data in sorted(files.items())
        )
    )


def put_tree(store: Store, files: Mapping[str, bytes]) -> Tree:
    """Keep an artifact of these files."""
    tree = tree_of_bytes(files)
    for entry in tree.entries:
        store.put_if_absent(blob_key(entry.sha256), files[entry.path])
    store.put_if_absent(tree_key(tree.digest), canonical_json(tree.to_json()))
    return tree
