"""Quarantine: damaged bytes are moved out of the way, so that their name is free for right ones."""

from __future__ import annotations

from hashlib import sha256

from pipelines.stores.layout import quarantine_key
from pipelines.stores.store import KeyMissing, Store


def move_to_quarantine(store: Store, key: str) -> None:
    """Move what lies under a key to quarantine; other readers may do so at the same time."""
    stat = store.stat(key)
    if stat is None:
        return
    try:
        data = store.get(key)
    except KeyMissing:  # another reader has just moved it
        return
    store.put_if_absent(quarantine_key(key, sha256(data).hexdigest()), data)
    store.delete_if_match(key, stat.version)


def put_certain(store: Store, key: str, data: bytes) -> None:
    """Keep a value that its key determines; what lies there and differs goes to quarantine."""
    while not store.put_if_absent(key, data):
        try:
            if store.get(key) == data:
                return
        except KeyMissing:
            continue
        move_to_quarantine(store, key)
