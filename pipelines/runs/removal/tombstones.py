"""Tombstones: what stays of a value that was removed on purpose: digest, kind, who, why, when."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from pipelines.stores.layout import blob_digest, blob_key, kind_of, tombstone_key, tree_key
from pipelines.stores.store import KeyMissing, Store

_REPLACED_MAX = 1000
"""A document is replaced at most so often: longer chains are circles."""

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Tombstone:
    """The content of ``tombstones/<digest>.json``.

    Attributes:
        digest: sha256 of the blob, or digest of the tree.
        kind: Which of the two it was.
        why: ``collected`` as nothing rested on it, or ``erased`` as it held a person or a file that
            somebody asked to erase.
        cause: The collection or the erasure by its id.
        actor: Who asked for that.
        at: ISO 8601, UTC.
        instead: sha256 of a blob with the same document, without what had to be erased from it;
            None where there is none.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True)

    digest: _Digest
    kind: Literal["blob", "tree"]
    why: Literal["collected", "erased"]
    cause: str
    actor: str
    at: str
    instead: _Digest | None = None
    schema: Literal[1] = 1

    @property
    def in_words(self) -> str:
        """What happened to it: ``erased by anna@lab on 2026-11-26T20:00:00+00:00 (ID)``."""
        return f"{self.why} by {self.actor} on {self.at} ({self.cause})"

    @property
    def key(self) -> str:
        """Where the value lay."""
        return (blob_key if self.kind == "blob" else tree_key)(self.digest)


_TOMBSTONE = TypeAdapter(Tombstone)


def parse_tombstone(data: bytes) -> Tombstone:
    """Return the tombstone that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    return _TOMBSTONE.validate_json(data)


def named_digest(key: str) -> str | None:
    """Return the digest that the key of a blob or a tree holds; None for other keys."""
    if kind_of(key) == "tree":
        return key.removeprefix("trees/").removesuffix(".json")
    return blob_digest(key)


def tombstone_of(store: Store, key: str) -> Tombstone | None:
    """Return what stays of the value that lay under a key; None where nothing tells of it."""
    digest = named_digest(key)
    if digest is None:
        return None
    try:
        found = parse_tombstone(store.get(tombstone_key(digest)))
    except (KeyMissing, ValidationError):
        return None
    return found if found.key == key else None


def document_of(store: Store, sha256: str) -> tuple[str, bytes] | None:
    """Return a document, or what erasures have left of it, with its sha256 now; None where nothing.

    Args:
        store: Where.
        sha256: Of the document as it was written.
    """
    for _ in range(_REPLACED_MAX):
        try:
            return sha256, store.get(blob_key(sha256))
        except KeyMissing:
            stone = tombstone_of(store, blob_key(sha256))
        if stone is None or stone.instead is None:
            return None
        sha256 = stone.instead
    return None


def rest_of(store: Store, sha256: str) -> bytes | None:
    """Return what erasures have left of a document; None where nothing is left, or what is broken.

    Args:
        store: Where.
        sha256: Of the document as it was written.
    """
    found = document_of(store, sha256)
    if found is None or hashlib.sha256(found[1]).hexdigest() != found[0]:
        return None
    return found[1]


def put_tombstone(store: Store, tombstone: Tombstone) -> None:
    """Keep a tombstone; the newest of a value counts, and an erased value stays an erased one."""
    key, data = tombstone_key(tombstone.digest), canonical_json(asdict(tombstone))
    while not store.put_if_absent(key, data):
        stat = store.stat(key)
        before = tombstone_of(store, tombstone.key)
        if before and (before.why, before.cause) == (tombstone.why, tombstone.cause):
            if before.instead == tombstone.instead:
                return
        elif before and before.why == "erased" != tombstone.why:
            return
        if stat and store.replace_if_match(key, data, stat.version):
            return


def withdraw_tombstone(store: Store, tombstone: Tombstone) -> None:
    """Remove a tombstone of a value that was not removed after all; another one's stays."""
    stat = store.stat(tombstone_key(tombstone.digest))
    before = tombstone_of(store, tombstone.key)
    if stat and before and (before.why, before.cause) == (tombstone.why, tombstone.cause):
        store.delete_if_match(tombstone_key(tombstone.digest), stat.version)
