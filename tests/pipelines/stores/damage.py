"""What disks and people do to a store: bytes change and values vanish under their names."""

from __future__ import annotations

from pathlib import Path

from pipelines.stores.store import Store


def overwrite(store: Store, key: str, data: bytes) -> None:
    """Put other bytes under a key that is there."""
    found = store.stat(key)
    assert found
    if store.uri.startswith("gs://"):
        assert store.replace_if_match(key, data, found.version)
        return
    path = Path(store.uri) / key
    path.unlink()  # it may be linked to elsewhere
    path.write_bytes(data)


def remove(store: Store, key: str) -> None:
    """Delete a value whatever hangs on it."""
    found = store.stat(key)
    assert found
    assert store.delete_if_match(key, found.version)
