"""Contents: the values that marked artifacts and kept documents consist of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from components.contract.tree import Tree
from pipelines.runs.removal.tombstones import parse_tombstone
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import SOURCES, blob_key, kind_of, tree_key
from pipelines.stores.store import KeyMissing, Store

_THREADS = 8
_TELLING = (".json", ".jsonl")
_RECORDS = "records/"
"""Of a Dataset: what became of every record of files that hold many images."""


class KeptContents:
    """What the artifacts and the documents of a store consist of.

    Args:
        store: Which store.
        keys: All keys in it, listed before.
        damaged: Hears the key of each value that cannot be read.
    """

    def __init__(self, store: Store, keys: Sequence[str], damaged: Callable[[str], None]) -> None:
        self._store, self._keys, self._damaged = store, keys, damaged

    def of_trees(self, named: set[str], whole: set[str]) -> set[str]:
        """Return the keys of listings, and of the blobs that stay with them.

        Args:
            named: Trees of which the listing stays, and the files that tell of them.
            whole: Those of which all files do.
        """
        there = set(self._keys)
        trees = [tree for tree in named if tree_key(tree) in there]
        found = {tree_key(tree) for tree in trees}
        listed = call_each(self._listing, ((tree,) for tree in trees), _THREADS)
        for tree, listing in zip(trees, listed, strict=True):
            found |= {
                blob_key(entry.sha256)
                for entry in (listing.entries if listing else ())
                if tree in whole or _tells(entry.path)
            }
        return found

    def of_documents(self) -> set[str]:
        """Return the keys of the pages of sources, and of what erasures left of documents."""
        found: set[str] = set()
        for key in self._keys:
            if key.startswith(SOURCES):
                found |= {blob_key(page) for page in self._pages(key)}
            if kind_of(key) == "tombstone":
                found |= self._left(key)
        return found

    def _listing(self, tree: str) -> Tree | None:
        key = tree_key(tree)
        try:
            found = Tree.from_json(json.loads(self._store.get(key)))
        except KeyMissing:
            return None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            found = None
        if found is None or found.digest != tree:
            self._damaged(key)
            return None
        return found

    def _pages(self, key: str) -> list[str]:
        try:
            return [str(page) for page in json.loads(self._store.get(key))["pages"]]
        except KeyMissing:
            return []
        except (ValueError, LookupError, TypeError, RecursionError):
            self._damaged(key)
            return []

    def _left(self, key: str) -> set[str]:
        """Return where it lies what an erasure left of a document."""
        try:
            left = parse_tombstone(self._store.get(key)).instead
        except KeyMissing:
            return set()
        except ValueError:
            self._damaged(key)
            return set()
        return {blob_key(left)} if left else set()


def _tells(path: str) -> bool:
    """Whether a file of an artifact tells of it, and stays when the artifact goes."""
    return path.endswith(_TELLING) or path.startswith(_RECORDS)
