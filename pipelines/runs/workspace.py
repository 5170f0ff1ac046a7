"""Where a run keeps what is unfinished, and on which machine that is."""

from __future__ import annotations

import socket
from pathlib import Path

from pipelines.disk.scratch import scratch_root
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import TEMPORARY, Store


def workspace_root(store: Store) -> Path:
    """Return where runs on this store have their scratch folders.

    A directory store's own file system, so that blobs can be linked instead of copied.
    """
    if isinstance(store, DirectoryStore):
        return Path(store.uri) / TEMPORARY / "work"
    return scratch_root()


def machine_name() -> str:
    """Return what tells this machine from others that may use the same store."""
    identity = Path("/etc/machine-id")
    number = identity.read_text().strip() if identity.exists() else ""
    return f"{socket.gethostname()} {number[:12]}".strip()
