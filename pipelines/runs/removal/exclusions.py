"""Exclusions: digests of people, images and files that no dataset may hold any more."""

from __future__ import annotations

from typing import Literal

from components.contract.digests import canonical_json
from components.data.exclusions import identity_digest
from pipelines.stores.layout import EXCLUSIONS, exclusion_key, kind_of
from pipelines.stores.store import Store

__all__ = ["ExclusionKind", "exclude", "identity_digest", "read_exclusions"]

ExclusionKind = Literal["identity", "file", "pixels"]


def read_exclusions(store: Store) -> tuple[str, ...]:
    """Return every digest that is excluded from the datasets of this store, in order."""
    return tuple(
        key.removeprefix(EXCLUSIONS).removesuffix(".json")
        for key in store.list(EXCLUSIONS)
        if kind_of(key) == "exclusion"
    )


def exclude(store: Store, digest: str, kind: ExclusionKind, erasure: str, at: str) -> None:
    """Keep what has a digest out of every dataset from now on.

    Args:
        store: Whose runs obey.
        digest: sha256 of a file, digest of the pixels of an image or of an identity.
        kind: Which of them.
        erasure: Why: the erasure by its id.
        at: ISO 8601, UTC.
    """
    content = {"schema": 1, "digest": digest, "kind": kind, "erasure": erasure, "at": at}
    store.put_if_absent(exclusion_key(digest), canonical_json(content))
