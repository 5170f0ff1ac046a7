"""What a Google Cloud Storage server must do for the bucket store to be right.

Each check is a function of a ``Place``; an ``AssertionError`` or an error of the client library
says that the server does not conform. Those of ``PRECONDITIONS`` are what "exactly once" rests on.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests
from google.api_core import exceptions as api
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage


@dataclass(frozen=True)
class Place:
    """Part of a bucket that one check has to itself."""

    bucket: Any
    prefix: str

    def blob(self, name: str, **options: Any) -> Any:
        return self.bucket.blob(self.prefix + name, **options)

    def put(self, name: str, data: bytes, **options: Any) -> Any:
        blob = self.blob(name)
        blob.upload_from_string(data, retry=None, timeout=20, **options)
        return blob

    def get(self, name: str, **options: Any) -> bytes:
        return self.blob(name).download_as_bytes(retry=None, timeout=20, **options)

    def names(self, **options: Any) -> list[str]:
        listed = self.bucket.client.list_blobs(self.bucket, prefix=self.prefix, **options)
        return [blob.name.removeprefix(self.prefix) for blob in listed]


Check = Callable[[Place], None]


def client_of(url: str | None) -> Any:
    """Return a client of the server at ``url``, or of Google's with the machine's credentials."""
    if url is None:
        return storage.Client(project=None)
    options = {"api_endpoint": url}
    return storage.Client("test", credentials=AnonymousCredentials(), client_options=options)


def refused(call: Callable[[], object]) -> None:
    """Assert that a precondition fails."""
    try:
        call()
    except api.PreconditionFailed:
        return
    raise AssertionError("the precondition was ignored")


def create_only_if_absent(place: Place) -> None:
    place.put("new", b"1", if_generation_match=0)
    refused(lambda: place.put("new", b"2", if_generation_match=0))
    assert place.get("new") == b"1"


def swap_only_the_generation_at_hand(place: Place) -> None:
    first = place.put("swap", b"0").generation
    second = place.put("swap", b"1", if_generation_match=first).generation
    assert second > first
    refused(lambda: place.put("swap", b"2", if_generation_match=first))
    refused(lambda: place.put("swap", b"2", if_generation_not_match=second))
    assert place.get("swap") == b"1"


def resumable_upload_only_if_absent(place: Place) -> None:
    place.put("resumable", b"1")
    blob = place.blob("resumable", chunk_size=256 << 10)
    refused(
        lambda: blob.upload_from_file(
            io.BytesIO(bytes(600 << 10)), if_generation_match=0, retry=None, timeout=20
        )
    )
    assert place.get("resumable") == b"1"


def resumable_upload_that_lost_meanwhile(place: Place) -> None:
    blob = place.blob("late", chunk_size=256 << 10)

    class Source(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() == 256 << 10:  # the first chunk is sent
                place.put("late", b"winner")
            return super().read(size)

    refused(
        lambda: blob.upload_from_file(
            Source(bytes(600 << 10)), if_generation_match=0, retry=None, timeout=20
        )
    )
    assert place.get("late") == b"winner"


def one_of_20_creators_wins(place: Place) -> None:
    for round_ in range(5):
        barrier = threading.Barrier(20)

        def create(index: int, name: str = f"race/{round_}", b: Any = barrier) -> bool:
            b.wait()
            while True:
                try:
                    place.put(name, str(index).encode(), if_generation_match=0)
                except api.PreconditionFailed:
                    return False
                except requests.ConnectionError:  # a server that takes few connections at a time
                    continue
                return True

        with ThreadPoolExecutor(20) as pool:
            won = list(pool.map(create, range(20)))
        assert won.count(True) == 1, f"{won.count(True)} of 20 creators won"
        assert place.get(f"race/{round_}") == str(won.index(True)).encode()


def delete_only_the_generation_at_hand(place: Place) -> None:
    first = place.put("gone", b"0").generation
    second = place.put("gone", b"1").generation
    refused(lambda: place.blob("gone").delete(if_generation_match=first, retry=None))
    assert place.get("gone") == b"1"
    place.blob("gone").delete(if_generation_match=second, retry=None)
    assert not place.blob("gone").exists()


def patch_only_the_metageneration_at_hand(place: Place) -> None:
    blob = place.put("patched", b"1")
    blob.reload()
    stale = blob.metageneration
    blob.metadata = {"a": "b"}
    blob.patch()
    assert blob.metageneration > stale
    other = place.blob("patched")
    other.metadata = {"a": "c"}
    refused(lambda: other.patch(if_metageneration_match=stale, retry=None))
    blob.reload()
    assert blob.metadata == {"a": "b"}


def read_only_the_generation_at_hand(place: Place) -> None:
    first = place.put("read", b"0").generation
    second = place.put("read", b"1").generation
    refused(lambda: place.get("read", if_generation_match=first))
    assert place.get("read", if_generation_match=second) == b"1"


def copy_and_compose_only_if_absent(place: Place) -> None:
    place.put("a", b"aa")
    place.put("b", b"bb")
    parts, bucket = [place.blob("a"), place.blob("b")], place.bucket
    place.blob("joined").compose(parts, if_generation_match=0)
    assert place.get("joined") == b"aabb"
    refused(lambda: place.blob("joined").compose(parts[:1], if_generation_match=0, retry=None))
    name = place.prefix + "joined"
    refused(lambda: bucket.copy_blob(parts[0], bucket, name, if_generation_match=0, retry=None))
    assert place.get("joined") == b"aabb"


def old_generation_is_gone(place: Place) -> None:
    first = place.put("old", b"0").generation
    place.put("old", b"1")
    try:
        place.blob("old", generation=first).download_as_bytes(retry=None)
    except api.NotFound:
        return
    raise AssertionError("a generation that was overwritten can be read")


def bytes_come_back(place: Place) -> None:
    for name, data in (("empty", b""), ("crlf", b"\r\n--x--\r\n" * 9), ("some", os.urandom(99999))):
        place.put(name, data)
        assert place.get(name) == data
        found = place.bucket.get_blob(place.prefix + name)
        assert found.size == len(data)
        blob = place.blob(name)
        assert blob.download_as_bytes(checksum="md5") == blob.download_as_bytes(checksum="crc32c")


def resumable_bytes_come_back(place: Place) -> None:
    data = os.urandom(900 << 10)
    for size in (len(data), None):
        blob = place.blob(f"chunks-{size}", chunk_size=256 << 10)
        blob.metadata = {"note": "kept"}
        blob.upload_from_file(io.BytesIO(data), size=size, timeout=20, checksum="crc32c")
        assert place.get(f"chunks-{size}") == data
        blob.reload()
        assert blob.metadata == {"note": "kept"}


def ranges_are_slices(place: Place) -> None:
    data = bytes(range(100))
    place.put("range", data)
    assert place.get("range", start=10, end=19) == data[10:20]
    assert place.get("range", start=90) == data[90:]
    assert place.get("range", start=90, end=500) == data[90:]
    try:
        place.get("range", start=100)
    except api.RequestRangeNotSatisfiable:
        return
    raise AssertionError("a range beyond the end was answered")


def wrong_checksum_is_refused(place: Place) -> None:
    blob = place.blob("bad")
    blob.crc32c = "AAAAAA=="
    try:
        blob.upload_from_string(b"hello", retry=None, checksum=None)
    except api.BadRequest:
        assert not place.blob("bad").exists()
        return
    raise AssertionError("content was taken that its checksum does not fit")


def list_is_in_order(place: Place) -> None:
    names = sorted(f"l/{index:03}/x" for index in range(25))
    for name in reversed(names):
        place.put(name, b"")
    assert place.names() == names
    assert place.names(page_size=7) == names
    assert place.names(max_results=3) == names[:3]
    assert place.names(start_offset=place.prefix + "l/020") == names[20:]
    assert place.names(end_offset=place.prefix + "l/020") == names[:20]
    folded = place.bucket.client.list_blobs(
        place.bucket, prefix=place.prefix + "l/", delimiter="/", page_size=4
    )
    assert list(folded) == []
    assert len(folded.prefixes) == 25
    place.blob(names[0]).delete()
    assert place.names() == names[1:]


def any_name_is_a_name(place: Place) -> None:
    names = ["a b/ü#?.txt", "a//b", "%2e", "a+b&c=d", "../x", "trailing/"]
    for name in names:
        place.put(name, name.encode())
    assert place.names() == sorted(names)
    assert all(place.get(name) == name.encode() for name in names)


def what_is_missing_is_not_found(place: Place) -> None:
    missing = place.bucket.client.bucket("slimline-no-such-bucket-0")
    for call in (
        lambda: place.get("nothing"),
        lambda: place.blob("nothing").delete(retry=None),
        lambda: missing.blob("x").upload_from_string(b"", retry=None),
        lambda: list(place.bucket.client.list_blobs(missing, retry=None)),
    ):
        try:
            call()
        except api.NotFound:
            continue
        raise AssertionError("something that is not there was found")


PRECONDITIONS: tuple[Check, ...] = (
    create_only_if_absent,
    swap_only_the_generation_at_hand,
    resumable_upload_only_if_absent,
    resumable_upload_that_lost_meanwhile,
    one_of_20_creators_wins,
    delete_only_the_generation_at_hand,
    patch_only_the_metageneration_at_hand,
    read_only_the_generation_at_hand,
    copy_and_compose_only_if_absent,
)
CHECKS: tuple[Check, ...] = (
    *PRECONDITIONS,
    old_generation_is_gone,
    bytes_come_back,
    resumable_bytes_come_back,
    ranges_are_slices,
    wrong_checksum_is_refused,
    list_is_in_order,
    any_name_is_a_name,
    what_is_missing_is_not_found,
)
