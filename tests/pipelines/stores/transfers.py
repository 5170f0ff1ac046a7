"""What a store in a bucket is asked to do while its requests fail, and what it is given."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from pipelines.stores.store import Store
from tests.servers.gcs.faults import Operation

PART_BYTES = 256 << 10  # the least that Cloud Storage takes of a resumable upload
LARGE = os.urandom(2 * PART_BYTES + 12345)
SMALL = b"a small value"


def put(store: Store, tmp_path: Path) -> None:
    assert store.put_if_absent("put", SMALL)
    assert not store.put_if_absent("put", b"other")
    assert store.get("put") == SMALL


def put_large(store: Store, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    assert store.put_if_absent("large", tmp_path / "large")
    assert store.fetch("large", tmp_path / "back") == hashlib.sha256(LARGE).hexdigest()


def replace(store: Store, tmp_path: Path) -> None:
    store.put_if_absent("replace", b"old")
    found = store.stat("replace")
    assert found
    assert store.replace_if_match("replace", b"new", found.version)
    assert not store.replace_if_match("replace", b"newer", found.version)
    assert store.get("replace") == b"new"


def delete(store: Store, tmp_path: Path) -> None:
    store.put_if_absent("delete", b"x")
    found = store.stat("delete")
    assert found
    assert store.delete_if_match("delete", found.version)
    assert not store.delete_if_match("delete", found.version)


def read(store: Store, tmp_path: Path) -> None:
    assert store.get("there") == LARGE
    assert store.get("there", 5, 15) in (LARGE[5:15], flipped_middle(LARGE[5:15]))
    found = store.stat("there")
    assert found
    assert found.size_bytes == len(LARGE)
    assert list(store.list("the")) == ["there"]


def fetch(store: Store, tmp_path: Path) -> None:
    assert store.fetch("there", tmp_path / "file") == hashlib.sha256(LARGE).hexdigest()
    assert (tmp_path / "file").read_bytes() == LARGE
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def flipped_middle(data: bytes) -> bytes:
    """A range carries no checksum of its own: its reader compares digests."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


WORK: dict[Operation, tuple[Callable[[Store, Path], None], ...]] = {
    "upload": (put, put_large, replace),
    "download": (fetch, read, put_large),
    "stat": (read, fetch, replace),
    "list": (read,),
    "delete": (delete,),
}
