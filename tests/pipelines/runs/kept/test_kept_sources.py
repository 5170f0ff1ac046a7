"""Listings of sources: proved by their digest, shared by data that grows, damage named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from components.contract.source import SourceFile, source_digest
from pipelines.runs.kept.kept_sources import (
    FILES_A_PAGE,
    KeptSource,
    page_count,
    pages_of,
    put_source,
    read_source,
)
from pipelines.runs.removal.condemned import Collection
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import blob_digest, blob_key, collection_key, source_key
from pipelines.stores.store import Store
from tests.pipelines.stores.damage import overwrite, remove


def files(count: int) -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile(f"person-{n:05}/a.png", n, hashlib.sha256(str(n).encode()).hexdigest())
        for n in range(count)
    )


def blobs(store: Store) -> set[str]:
    return {key for key in store.list("") if blob_digest(key)}


def pages(store: Store, digest: str) -> list[str]:
    return json.loads(store.get(source_key(digest)))["pages"]


def test_a_listing_comes_back_and_has_the_digest_of_the_source(either_store: Store) -> None:
    odd = SourceFile("person-00003/b.png", 0, "", link="person-00001/a.png")
    broken = SourceFile("person-00004/b.png", 7, "", fault="unreadable: it is a pipe")
    listed = tuple(sorted([*files(200), odd, broken]))
    for source in (
        KeptSource("folder", listed, "", ()),
        KeptSource("list", listed, "person-00001/a.png", ("0" * 64, "1" * 64)),
        KeptSource("modules", (files(2)[1], files(2)[0]), "", ()),
    ):
        digest = put_source(either_store, source)
        assert digest == source_digest(source.format, source.files, source.index, source.excluded)
        assert read_source(either_store, digest) == source
    assert read_source(either_store, "0" * 64) is None
    assert verify_store(either_store)[1] == []


def test_one_file_more_is_one_page_more(either_store: Store) -> None:
    put_source(either_store, KeptSource("folder", files(1000), "", ()))
    before = blobs(either_store)
    assert len(before) == 16
    put_source(either_store, KeptSource("folder", files(1001), "", ()))
    assert len(blobs(either_store) - before) == 1


def test_what_is_excluded_changes_the_digest_only_where_something_is() -> None:
    assert source_digest("folder", files(3)) == source_digest("folder", files(3), "", ())
    digests = {source_digest("folder", files(3), "", gone) for gone in ((), ("0" * 64,))}
    assert len(digests) == 2


@pytest.mark.parametrize("count", [0, 1, 64, 65, 128, 129, 1000])
def test_pages_are_the_smallest_power_of_two_that_is_enough(count: int) -> None:
    number = page_count(count)
    assert number & (number - 1) == 0
    assert number * FILES_A_PAGE >= count
    assert number == 1 or (number // 2) * FILES_A_PAGE < count
    assert len(pages_of("folder", files(count))) == number


def test_a_page_that_is_gone_is_missing_and_the_rest_is_read(either_store: Store) -> None:
    digest = put_source(either_store, KeptSource("folder", files(100), "", ()))
    page = pages(either_store, digest)[0]
    remove(either_store, blob_key(page))
    found = read_source(either_store, digest)
    assert found
    assert found.gone == (page,)
    assert 0 < len(found.files) < 100
    assert {one.place: one.state for one in verify_store(either_store)[1]} == {
        blob_key(page): "missing"
    }
    put_source(either_store, KeptSource("folder", files(100), "", ()))
    assert verify_store(either_store)[1] == []


def not_json(_: dict[str, Any]) -> bytes:
    return b"<html>"


def fewer_pages(content: dict[str, Any]) -> bytes:
    return json.dumps({**content, "pages": content["pages"][:1]}).encode()


def other_form(content: dict[str, Any]) -> bytes:
    return json.dumps({**content, "format": "list"}).encode()


def later_schema(content: dict[str, Any]) -> bytes:
    return json.dumps({**content, "schema": 2}).encode()


@pytest.mark.parametrize("change", [not_json, fewer_pages, other_form, later_schema])
def test_an_edited_listing_is_named(
    either_store: Store, change: Callable[[dict[str, Any]], bytes]
) -> None:
    digest = put_source(either_store, KeptSource("folder", files(100), "", ()))
    key = source_key(digest)
    overwrite(either_store, key, change(json.loads(either_store.get(key))))
    with pytest.raises(UserError, match="is damaged"):
        read_source(either_store, digest)
    assert {one.place: one.state for one in verify_store(either_store)[1]} == {key: "damaged"}
    put_source(either_store, KeptSource("folder", files(100), "", ()))  # moves it to quarantine
    assert read_source(either_store, digest)


def test_an_edited_page_is_named(either_store: Store) -> None:
    digest = put_source(either_store, KeptSource("folder", files(3), "", ()))
    key = blob_key(pages(either_store, digest)[0])
    overwrite(either_store, key, either_store.get(key).replace(b"person-00001", b"person-00009"))
    with pytest.raises(UserError, match="is damaged"):
        read_source(either_store, digest)
    found = {one.place: one.state for one in verify_store(either_store)[1]}
    assert found[key] == "damaged"


def test_a_store_that_cannot_be_reached_is_no_damage(
    either_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = put_source(either_store, KeptSource("folder", files(3), "", ()))
    get = type(either_store).get

    def unreachable(self: Store, key: str) -> bytes:
        if blob_digest(key):
            raise UserError("the storage service does not answer", "try again")
        return get(self, key)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(type(either_store), "get", unreachable)
        with pytest.raises(UserError, match="does not answer"):
            verify_store(either_store)
    assert verify_store(either_store)[1] == []
    assert read_source(either_store, digest)


def test_a_listing_that_vanishes_while_it_is_verified_is_no_fault(
    either_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = source_key(put_source(either_store, KeptSource("folder", files(3), "", ())))
    get = type(either_store).get

    def removed_after(self: Store, asked: str) -> bytes:
        data = get(self, asked)  # pyright: ignore[reportArgumentType]
        if asked == key:
            remove(self, key)
        return data

    with monkeypatch.context() as patch:
        patch.setattr(type(either_store), "get", removed_after)
        assert verify_store(either_store)[1] == []
    assert either_store.stat(key) is None


def test_a_page_that_a_disk_cut_short_is_written_again(either_store: Store) -> None:
    digest = put_source(either_store, KeptSource("folder", files(3), "", ()))
    overwrite(either_store, blob_key(pages(either_store, digest)[0]), b"[")
    put_source(either_store, KeptSource("folder", files(3), "", ()))
    assert read_source(either_store, digest)


def test_a_page_that_is_to_be_collected_is_written_anew(either_store: Store) -> None:
    listed = KeptSource("folder", files(3), "", ())
    (page,) = pages_of("folder", files(3))
    key = blob_key(hashlib.sha256(page).hexdigest())
    either_store.put_if_absent(key, page)  # left by a process that was killed before the listing
    found = either_store.stat(key)
    assert found
    condemned = Collection("c", "2026-01-02T03:04:05.678+00:00", "me", 0.0, {key: found.version})
    either_store.put_if_absent(collection_key("c"), condemned.to_bytes())
    digest = put_source(either_store, listed)
    assert not either_store.delete_if_match(key, found.version)
    assert read_source(either_store, digest) == listed


class Killed(BaseException):
    """What ends a process between two writes."""


def test_killed_between_pages_and_listing(
    either_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = KeptSource("folder", files(100), "", ())
    put = type(either_store).put_if_absent

    def killed_before_the_listing(self: Store, key: str, data: bytes) -> bool:
        if key.startswith("sources/"):
            raise Killed
        return put(self, key, data)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(type(either_store), "put_if_absent", killed_before_the_listing)
        with pytest.raises(Killed):
            put_source(either_store, listed)
    assert read_source(either_store, listed.digest) is None
    assert verify_store(either_store)[1] == []
    assert put_source(either_store, listed) == listed.digest
    assert read_source(either_store, listed.digest) == listed


def test_two_at_once_keep_one_listing(either_store: Store) -> None:
    sources = [KeptSource("folder", files(500 + n % 2), "", ()) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(put_source, [either_store] * 8, sources))
    assert [read_source(either_store, digest) for digest in digests] == sources
    assert verify_store(either_store)[1] == []


def test_the_snapshot_of_a_folder_is_kept_as_it_is_staged(
    either_store: Store, tmp_path: Path
) -> None:
    from components.contract.source import Source
    from pipelines.sources.snapshot import snapshot, stage, without
    from tests.data.images import folder as images

    data = tmp_path / "data"
    images(data, {"one": 2, "two": 2})
    taken = snapshot(str(data))
    gone = taken.files[0].sha256
    for excluded in ((), (gone,), ("0" * 64,)):
        listed = without(taken, excluded)
        folder = tmp_path / f"staged-{len(excluded)}-{excluded[:1]}"
        stage(listed, folder)
        source = Source.open(folder)
        assert source.excluded == excluded
        assert source.digest == listed.digest == put_source(either_store, listed)
        kept = read_source(either_store, listed.digest)
        assert kept
        assert kept.files == source.files == listed.files
        assert (gone in {file.sha256 for file in kept.files}) == (gone not in excluded)
