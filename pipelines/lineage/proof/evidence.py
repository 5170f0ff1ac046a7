"""Evidence: values of a store, each held against the digest in its name as it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from components.contract.digests import digest
from components.contract.tree import Entry, Tree
from pipelines.lineage.proof.links import Fault, FaultFound
from pipelines.runs.removal.tombstones import named_digest, parse_tombstone
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import blob_key, tombstone_key, tree_key
from pipelines.stores.store import KeyMissing, Stat, Store, is_key

_THREADS = 8
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Evidence:
    """Reads values of a store, each at most once, and knows which it has read.

    Args:
        store: Where they are; nothing is written to it.
        partial: Whether blobs may be left out of it, as in a bundle.
    """

    def __init__(self, store: Store, *, partial: bool = False) -> None:
        self.store = store
        self.partial = partial
        self.hashed_bytes = 0
        self._values: dict[str, bytes | None] = {}
        self._looked: set[str] = set()
        self._trees: dict[str, Tree] = {}

    @property
    def read(self) -> Mapping[str, bytes]:
        """Every value that was read, by its key."""
        return {key: data for key, data in self._values.items() if data is not None}

    @property
    def objects(self) -> int:
        """How many values were read or looked at."""
        return len(self._looked | self.read.keys())

    @property
    def asked_for(self) -> set[str]:
        """Every key that was asked for, also of what is not there."""
        return self._looked | self._values.keys()

    @property
    def trees(self) -> tuple[Tree, ...]:
        """Every file tree that was read and is what its digest says."""
        return tuple(self._trees.values())

    def forget(self, keys: Iterable[str]) -> None:
        """Drop values that were read."""
        for key in keys:
            del self._values[key]

    def prefetch(self, keys: Iterable[str]) -> None:
        """Read values, many at a time; those that are not there are no fault yet."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self._values and is_key(key)]
        for key, data in zip(
            wanted, call_each(self._value, ((key,) for key in wanted), _THREADS), strict=True
        ):
            self._values[key] = data

    def _value(self, key: str) -> bytes | None:
        try:
            return self.store.get(key)
        except KeyMissing:
            return None

    def find(self, key: str) -> bytes | None:
        """Return a value, or None where there is none."""
        if not is_key(key):
            return None
        if key not in self._values:
            self._values[key] = self._value(key)
        return self._values[key]

    def get(self, key: str, by: str) -> bytes:
        """Return a value that something refers to.

        Args:
            key: Which one.
            by: What refers to it.

        Raises:
            FaultFound: It is not there.
        """
        data = self.find(key)
        if data is None:
            raise FaultFound(self.absent(key, by))
        return data

    def json(self, key: str, by: str) -> Any:
        """Return a value as JSON.

        Raises:
            FaultFound: It is not there, or is no JSON.
        """
        data = self.get(key, by)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise FaultFound(Fault(key, "damaged", "is no JSON")) from None

    def tagged(self, key: str, kind: str, expected: str, by: str) -> Any:
        """Return a JSON value whose digest its key is made of.

        Args:
            key: Where it lies.
            kind: The tag that its digest is made with.
            expected: The digest.
            by: What refers to it.

        Raises:
            FaultFound: It is not there, or is something else.
        """
        value = self.json(key, by)
        try:
            found = digest(kind, value)
        except _UNREADABLE:
            found = "nothing that has a digest"
        if found != expected:
            raise FaultFound(Fault(key, "damaged", f"re-hashes to {found[:16]}"))
        self.hashed_bytes += len(self.get(key, by))
        return value

    def tree(self, tree: str, by: str) -> Tree:
        """Return a file tree, re-hashed.

        Raises:
            FaultFound: It is not there, or is another one.
        """
        if tree in self._trees:
            return self._trees[tree]
        key = tree_key(tree)
        value = self.json(key, by)
        try:
            found = Tree.from_json(cast("dict[str, object]", value))
        except _UNREADABLE:
            raise FaultFound(Fault(key, "damaged", "is no file tree")) from None
        if found.digest != tree:
            raise FaultFound(Fault(key, "damaged", f"holds the tree {found.digest[:16]}"))
        self.hashed_bytes += len(self.get(key, by))
        self._trees[tree] = found
        return found

    def blob(self, sha256: str, by: str) -> bytes:
        """Return a blob, re-hashed.

        Raises:
            FaultFound: It is not there, or holds other bytes.
        """
        key = blob_key(sha256)
        data = self.get(key, by)
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise FaultFound(Fault(key, "damaged", f"holds bytes of the sha256 {found[:16]}"))
        self.hashed_bytes += len(data)
        return data

    def file_of(self, tree: str, path: str, by: str) -> bytes:
        """Return a file of a tree, both re-hashed.

        Raises:
            FaultFound: It is not there, or is another one.
        """
        for entry in self.tree(tree, by).entries:
            if entry.path == path:
                return self.blob(entry.sha256, by)
        raise FaultFound(Fault(tree_key(tree), "damaged", f"has no file {path}, which {by} needs"))

    def blobs(
        self, entries: Sequence[Entry], by: str, *, deep: bool, carried: bool = False
    ) -> list[Fault]:
        """Look whether the files of a tree are there, by their sizes or byte by byte.

        Args:
            entries: The files.
            by: What refers to them.
            deep: Hash each.
            carried: Whether even a bundle has to hold them.
        """
        wanted = {entry.sha256: entry for entry in entries}
        if self.partial and not carried:
            # Where a tombstone lies in a bundle, its store has lost the file on purpose.
            wanted = {
                sha: entry
                for sha, entry in wanted.items()
                if self._stat(sha) or self.find(tombstone_key(sha))
            }
            deep = True  # what a bundle carries is little, and bytes are what it is about
        if deep:
            return [fault for sha in wanted for fault in self._hashed(sha, by)]
        keys = {blob_key(sha): entry for sha, entry in wanted.items()}
        stats = self.store.stat_many(list(keys))
        self._looked |= set(keys)
        found: list[Fault] = []
        for (key, entry), stat in zip(keys.items(), stats, strict=True):
            if stat is None:
                found.append(self.absent(key, by))
            elif stat.size_bytes != entry.size_bytes:
                what = f"has {stat.size_bytes:,} bytes instead of {entry.size_bytes:,}"
                found.append(Fault(key, "damaged", what))
        return found

    def left_out(self, entries: Sequence[Entry]) -> int:
        """Return how many bytes of these files a bundle does not carry."""
        if not self.partial:
            return 0
        return sum(entry.size_bytes for entry in entries if not self._stat(entry.sha256))

    def _stat(self, sha256: str) -> Stat | None:
        return self.store.stat(blob_key(sha256))

    def _hashed(self, sha256: str, by: str) -> list[Fault]:
        known = self._values.get(blob_key(sha256)) is not None
        try:
            self.blob(sha256, by)
        except FaultFound as found:
            return [found.fault]
        if not known:  # not kept: files may be large
            self._looked.add(blob_key(sha256))
            del self._values[blob_key(sha256)]
        return []

    def absent(self, key: str, by: str) -> Fault:
        """Say of a value that is not there whether it was erased, and what refers to it."""
        digest = named_digest(key)
        told = self.find(tombstone_key(digest)) if digest else None
        try:
            stone = parse_tombstone(told) if told else None
        except ValidationError:
            stone = None
        if stone is None or stone.key != key:
            return Fault(key, "missing", f"is not there; {by} refers to it")
        return Fault(key, stone.why, f"was {stone.in_words}; {by} refers to it")
