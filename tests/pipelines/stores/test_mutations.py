"""The tests of the stores fail when a store is broken in the ways that matter."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from components.contract.errors import UserError
from pipelines.disk import files
from pipelines.stores import bucket, directory, gcs_objects, s3_objects, sealing
from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.gcs_objects import GcsObjects
from pipelines.stores.read_through import ReadThroughStore
from pipelines.stores.store import Store
from tests.pipelines.stores import test_contract, test_objects, test_read_through
from tests.servers.gcs.server import GcsServer

Patch = Callable[[pytest.MonkeyPatch], None]
OpenKind = Callable[[str], Store]


@contextlib.contextmanager
def nothing(*_: Any, **__: Any) -> Generator[None]:
    yield


def overwrite(unfinished: Path, path: Path) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(path)
    return True


def without_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    utime = os.utime

    def slow_utime(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.02)  # between the look at the version and the swap
        utime(*args, **kwargs)

    monkeypatch.setattr(os, "utime", slow_utime)
    monkeypatch.setattr(DirectoryStore, "locked", nothing)


def without_precondition(monkeypatch: pytest.MonkeyPatch) -> None:
    upload: Any = GcsObjects._upload

    def upload_always(self: GcsObjects, name: str, data: Any, _: int, nonce: str) -> None:
        upload(self, name, data, None, nonce)

    monkeypatch.setattr(GcsObjects, "_upload", upload_always)


def one_nonce_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket.secrets, "token_hex", lambda _=0: "same")


def no_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BucketStore, "_look", lambda *_: None)


def no_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    class Agrees:
        def update(self, _: bytes) -> None: ...

        def digest(self) -> bytes:
            return b""

    monkeypatch.setattr(google_crc32c, "Checksum", Agrees)
    monkeypatch.setattr(gcs_objects.base64, "b64encode", lambda _: AnyText())


class AnyText(bytes):
    """Decodes to what equals everything."""

    def decode(self, *_: Any) -> Any:
        class Equal(str):
            __slots__ = ()
            __hash__ = str.__hash__

            def __eq__(self, _: object) -> bool:
                return True

            def __ne__(self, _: object) -> bool:
                return False

        return Equal()


def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs_objects, "may_pass", lambda _: False)


def cache_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    get = ReadThroughStore.get
    kept: dict[str, bytes] = {}

    def get_once(self: ReadThroughStore, key: str) -> bytes:
        return kept.setdefault(key, get(self, key))

    monkeypatch.setattr(ReadThroughStore, "get", get_once)


MUTATIONS: dict[str, tuple[str, Patch, Callable[..., None]]] = {
    "a directory that overwrites": (
        "directory",
        lambda m: (
            m.setattr(directory, "_link_new", overwrite),
            m.setattr(DirectoryStore, "_has", lambda *_: False),
        )[0],
        test_contract.test_the_first_value_stays,
    ),
    "creators that look and then overwrite": (
        "directory",
        lambda m: m.setattr(directory, "_link_new", overwrite),
        partial(test_contract.test_one_of_20_creators_wins, rounds=2),
    ),
    "swaps without a lock": (
        "directory",
        without_lock,
        partial(test_contract.test_one_of_20_swappers_wins, rounds=2),
    ),
    "one version for all": (
        "directory",
        lambda m: m.setattr(directory, "_version", lambda _: "1"),
        test_contract.test_swap_needs_the_version_at_hand,
    ),
    "a list in the order of folders": (
        "directory",
        lambda m: m.setattr(
            DirectoryStore,
            "list",
            lambda self, prefix: (
                key
                for folder, folders, names in os.walk(self.uri)
                if folders.sort() is None and "tmp" not in folder
                for name in sorted(names)
                if (key := os.path.relpath(Path(folder, name), self.uri)).startswith(prefix)
            ),
        ),
        test_contract.test_list_is_in_the_order_of_whole_keys,
    ),
    "a bucket that overwrites": (
        "bucket",
        without_precondition,
        test_contract.test_the_first_value_stays,
    ),
    "a bucket that swaps whatever is there": (
        "bucket",
        without_precondition,
        test_contract.test_swap_needs_the_version_at_hand,
    ),
    "a cache of records": (
        "through",
        cache_of_records,
        test_contract.test_swap_needs_the_version_at_hand,
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_contract_notices(name: str, open_kind: OpenKind, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, patch, test = MUTATIONS[name]
    store = open_kind(kind)
    test(store)
    store = open_kind(kind)
    for key in list(store.list("")):
        found = store.stat(key)
        assert found
        store.delete_if_match(key, found.version)
    patch(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        test(store)


BUCKET_MUTATIONS: dict[str, tuple[Patch, Callable[..., None]]] = {
    "a loser that takes its equal nonce for success": (
        one_nonce_for_all,
        test_objects.test_a_lost_reply_to_a_loser_is_no_success,
    ),
    "a winner that does not know it": (
        no_nonce,
        test_objects.test_one_winner_among_20_when_replies_are_lost,
    ),
}


@pytest.mark.parametrize("name", BUCKET_MUTATIONS)
def test_lost_replies_notice(
    name: str, gcs: GcsServer, bucket_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, test = BUCKET_MUTATIONS[name]
    store = BucketStore(bucket_uri, test_objects.POLICY)
    patch(monkeypatch)
    with pytest.raises(AssertionError):
        test(gcs, store)


@pytest.mark.parametrize(
    ("operation", "fault", "patch"),
    [("download", "corrupted", no_checksum), ("upload", "reset", no_retries)],
)
def test_faults_notice(
    operation: Any,
    fault: Any,
    patch: Patch,
    gcs: GcsServer,
    bucket_uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = BucketStore(bucket_uri, test_objects.POLICY)
    patch(monkeypatch)
    call = partial(test_objects.test_a_fault_that_passes_does_not_show, gcs, store, tmp_path)
    with pytest.raises((AssertionError, UserError, OSError)):
        call(operation, fault)


def test_the_cache_notices_a_skipped_hash(
    gcs: GcsServer, bucket_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(source: int, target: int | None) -> str:
        if target is not None:
            files.copy(source, target)
        return Path(os.readlink(f"/proc/self/fd/{source}")).name  # noqa: PTH115

    monkeypatch.setattr(directory, "copy_hashed", trusting)
    test = test_read_through.test_a_damaged_file_is_downloaded_again
    with pytest.raises(AssertionError):
        test(gcs, BucketStore(bucket_uri), tmp_path / "cache", tmp_path)


S3_MUTATIONS: dict[str, tuple[Patch, Callable[..., None]]] = {
    "one seal for all": (
        lambda m: m.setattr(s3_objects, "seal", lambda _: sealing.seal("")),
        test_contract.test_swap_needs_the_version_at_hand,
    ),
    "a listing as the service gives it": (
        lambda m: m.setattr(s3_objects, "sorted", lambda found, key: found, raising=False),
        test_contract.test_list_is_in_the_order_of_whole_keys,
    ),
    "a writer that says nothing of what it expects": (
        lambda m: m.setattr(s3_objects, "_condition", lambda _: {}),
        test_contract.test_the_first_value_stays,
    ),
}


@pytest.mark.parametrize("name", S3_MUTATIONS)
def test_the_contract_notices_at_s3(
    name: str, s3_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, test = S3_MUTATIONS[name]
    monkeypatch.setattr(bucket, "probe_once", lambda *_: None)  # it would refuse some of them
    store = BucketStore(s3_uri)
    patch(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        test(store)
