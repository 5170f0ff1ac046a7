"""The log of releases and ``champion.json``: what an edit, a race and a kill leave of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.runs.releases.champions import champion_of
from pipelines.runs.releases.registry import registered
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.releases.release_log_entries import ReleaseLog, parse_entry
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import champion_key, release_log_key, signature_key
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.data.releases import NAME, entry_of, put_release, rewrite
from tests.pipelines.stores.damage import remove

ROOT = Path(__file__).parents[4]


@pytest.fixture
def store(store_uri: Callable[[str], str]) -> Store:
    """An empty store: on a disk, and on a storage service."""
    return open_store(store_uri("releases"))


@pytest.fixture
def promoted(store: Store) -> list[str]:
    """Three releases, each promoted after the other; the champion is written."""
    releases = [put_release(store, f"{NAME}-{letter}") for letter in "abc"]
    for release in releases:
        promote(store, release)
    return releases


def promote(store: Store, release: str, **changes: object) -> ReleaseLog:
    log = append(store, read_log(store, NAME), entry_of(release, **changes))
    assert log
    champion_of(store, NAME)
    return log


def value(store: Store, key: str) -> dict[str, Any]:
    return json.loads(store.get(key))


def test_nothing_was_promoted(store: Store) -> None:
    for name in (NAME, "", "../x", "a/b", "ü"):
        assert read_log(store, name) == ReleaseLog(name)
        assert champion_of(store, name) is None
    put_release(store, "faces-a")
    assert champion_of(store, NAME) is None
    assert store.stat(champion_key(NAME)) is None


def test_the_last_entry_is_the_champion(store: Store, promoted: list[str]) -> None:
    log = read_log(store, NAME)
    assert [entry.release for entry in log.entries] == promoted
    assert [entry.seq for entry in log.entries] == [1, 2, 3]
    assert log.entries[2].previous == log.digests[1]
    assert (log.faults, log.bad) == ((), None)
    content = value(store, champion_key(NAME))
    assert content == champion_of(store, NAME)
    assert (content["release"], content["seq"], content["rollout"]) == (promoted[2], 3, 100)
    assert content["entry"] == log.digests[2]
    assert [(file["path"], file["devices"]) for file in content["files"]] == [
        ("manifest.json", "all"),
        ("model.tflite", "all"),
    ]
    assert not any("url" in file for file in content["files"])
    assert content["previous"]["release"] == promoted[1]
    assert [release for _, release in registered(store, NAME)] == promoted[::-1]
    assert verify_store(store)[1] == []


def test_addresses_stand_where_the_entry_has_a_prefix(store: Store) -> None:
    release = put_release(store, "faces-a")
    promote(store, release, url="https://models.example/faces")
    (_, model) = (champion_of(store, NAME) or {})["files"]
    sha = model["sha256"]
    assert model["url"] == f"https://models.example/faces/public/{NAME}/{sha}"


def test_a_rollback_goes_back_in_line(store: Store, promoted: list[str]) -> None:
    first, second, third = promoted
    promote(store, second, kind="rollback")
    log = read_log(store, NAME)
    assert [entry.release for entry in log.line] == [first, second]
    assert log.rolled_back == {third}
    assert (champion_of(store, NAME) or {})["previous"]["release"] == first
    promote(store, first, kind="rollback")
    assert [entry.release for entry in read_log(store, NAME).line] == [first]
    assert (champion_of(store, NAME) or {})["previous"] is None
    promote(store, third)
    assert [entry.release for entry in read_log(store, NAME).line] == [first, third]
    assert read_log(store, NAME).rolled_back == {third, second}


def edited(store: Store, seq: int, **changes: object) -> None:
    key = release_log_key(NAME, seq)
    rewrite(store, key, replace(parse_entry(store.get(key)), **changes).to_bytes())  # type: ignore[arg-type]


def edit(seq: int) -> Callable[[Store], None]:
    return lambda store: edited(store, seq, actor="eve@desk")


def take(seq: int) -> Callable[[Store], None]:
    return lambda store: remove(store, release_log_key(NAME, seq))


def renumber(store: Store) -> None:
    """A new entry 2, correctly chained to entry 1, before those that were 2 and 3."""
    third, second = (store.get(release_log_key(NAME, seq)) for seq in (3, 2))
    rewrite(store, release_log_key(NAME, 4), third)
    rewrite(store, release_log_key(NAME, 3), second)
    edited(store, 2, release="0" * 64)


def insert(store: Store) -> None:
    """An entry at the end that is not chained to the one before."""
    third = parse_entry(store.get(release_log_key(NAME, 3)))
    rewrite(store, release_log_key(NAME, 4), replace(third, seq=4, previous="0" * 64).to_bytes())


def write(seq: int, data: bytes) -> Callable[[Store], None]:
    return lambda store: rewrite(store, release_log_key(NAME, seq), data)


TAMPERED: dict[str, tuple[Callable[[Store], None], str]] = {
    "the first edited": (edit(1), "entry 1 was edited"),
    "one in the middle edited": (edit(2), "entry 2 was edited"),
    "the last edited": (edit(3), "entry 3 is not the one that champion.json is made of"),
    "the first removed": (take(1), "entry 1 is missing: it was removed"),
    "one in the middle removed": (take(2), "entry 2 is missing: it was removed"),
    "the last removed": (take(3), "entry 3, which champion.json is made of, was removed"),
    "one inserted": (renumber, "entry 3 says that it is entry 2: one was inserted"),
    "one appended": (insert, "entry 4 was inserted"),
    "no JSON": (write(2, b'{"schema": 1, "na'), "entry 2 is not JSON"),
    "deep": (write(2, b"[" * 100_000), "entry 2 is not JSON"),
    "a list": (write(3, b"[]"), "entry 3 is no entry of a log"),
    "newer": (write(3, b'{"schema": 9}'), "entry 3 is of version 9"),
    "of another name": (lambda store: edited(store, 3, name="cats"), "the releases of 'cats'"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_done_to_a_log_is_named(store: Store, promoted: list[str], how: str) -> None:
    do, named = TAMPERED[how]
    kept = {key: store.get(key) for key in store.list(f"releases/{NAME}/")}
    before = store.get(champion_key(NAME))
    do(store)
    log = read_log(store, NAME)
    assert log.bad
    assert [entry.release for entry in log.entries] == promoted[: log.bad - 1]
    with pytest.raises(UserError, match=named) as caught:
        champion_of(store, NAME)
    assert "as a copy of the store has them" in caught.value.fix
    assert store.get(champion_key(NAME)) == before
    for key in list(store.list(f"releases/{NAME}/log/")):  # the fix
        remove(store, key)
    for key, data in kept.items():
        rewrite(store, key, data)
    assert read_log(store, NAME).faults == ()


def test_a_signed_entry_that_is_gone_is_missed(store: Store, promoted: list[str]) -> None:
    """Whoever removes the end of a log removes ``champion.json`` as well."""
    store.put_if_absent(signature_key(NAME, 3), b"{}")
    assert read_log(store, NAME).faults == ()
    kept = store.get(release_log_key(NAME, 3))
    remove(store, release_log_key(NAME, 3))
    remove(store, champion_key(NAME))
    log = read_log(store, NAME)
    assert (log.faults, log.bad) == (("entry 3, which is signed, was removed",), 3)
    assert [entry.release for entry in log.entries] == promoted[:2]
    with pytest.raises(UserError, match="which is signed, was removed"):
        champion_of(store, NAME)
    rewrite(store, release_log_key(NAME, 3), kept)  # the fix
    assert (champion_of(store, NAME) or {})["release"] == promoted[2]


@pytest.mark.parametrize(
    "held",
    [None, b"", b"{}", b'{"seq": 1}', b'{"seq": "3", "entry": 5}', b"[" * 100_000, b'{"seq": 99}'],
)
def test_a_champion_that_is_behind_is_written_again(
    store: Store, promoted: list[str], held: bytes | None
) -> None:
    key = champion_key(NAME)
    remove(store, key) if held is None else rewrite(store, key, held)
    assert (champion_of(store, NAME) or {})["release"] == promoted[2]
    assert value(store, key)["release"] == promoted[2]


def test_a_champion_of_an_earlier_entry_is_written_again(store: Store, promoted: list[str]) -> None:
    stale = store.get(champion_key(NAME))
    promote(store, promoted[0], kind="rollback")
    rewrite(store, champion_key(NAME), stale)
    assert (champion_of(store, NAME) or {})["release"] == promoted[0]
    assert value(store, champion_key(NAME))["seq"] == 4


def test_an_edited_champion_is_written_again(store: Store, promoted: list[str]) -> None:
    whole = value(store, champion_key(NAME))
    edited = {**whole, "files": [], "release": promoted[0]}
    rewrite(store, champion_key(NAME), json.dumps(edited).encode())
    assert champion_of(store, NAME) == whole == value(store, champion_key(NAME))


def test_of_two_who_append_one_wins(store: Store) -> None:
    """Each thread appends its own releases and reads the log again whenever it was too slow."""
    releases = {who: [put_release(store, f"{NAME}-{who}{n}") for n in range(4)] for who in "ab"}

    def work(who: str) -> int:
        lost = 0
        for release in releases[who]:
            while append(store, read_log(store, NAME), entry_of(release, actor=who)) is None:
                lost += 1
            champion_of(store, NAME)
        return lost

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, "ab"))
    log = read_log(store, NAME)
    assert (log.faults, len(log.entries)) == ((), 8)
    for who, mine in releases.items():
        assert [entry.release for entry in log.entries if entry.actor == who] == mine
    assert value(store, champion_key(NAME))["seq"] == 8


def test_an_append_on_a_log_that_has_grown_is_none(store: Store, promoted: list[str]) -> None:
    before = read_log(store, NAME)
    promote(store, promoted[0])
    assert append(store, before, entry_of(promoted[1])) is None
    assert read_log(store, NAME).entries[3].release == promoted[0]


_KILLED = """
import os, signal, sys
from pipelines.runs.releases.release_log import append, read_log
from pipelines.stores.opening import open_store
from tests.data.releases import NAME, entry_of
store = open_store(sys.argv[1])
assert append(store, read_log(store, NAME), entry_of(sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_between_entry_and_champion(store: Store, promoted: list[str]) -> None:
    release = put_release(store, f"{NAME}-d")
    command = [sys.executable, "-c", _KILLED, store.uri, release]
    ended = subprocess.run(command, check=False, cwd=ROOT, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    assert value(store, champion_key(NAME))["release"] == promoted[2]
    assert (champion_of(store, NAME) or {})["release"] == release
    assert value(store, champion_key(NAME))["release"] == release


def test_a_champion_whose_list_of_files_is_gone(store: Store, promoted: list[str]) -> None:
    remove(store, f"trees/{promoted[2]}.json")
    with pytest.raises(UserError, match="list of files of the release"):
        champion_of(store, NAME)
    put_release(store, f"{NAME}-c")  # the fix: made again
    assert (champion_of(store, NAME) or {})["release"] == promoted[2]


def test_verify_looks_at_entries(store: Store, promoted: list[str]) -> None:
    rewrite(store, release_log_key(NAME, 2), b"{}")
    rewrite(store, champion_key(NAME), b"[]")
    assert [(fault.place, fault.state) for fault in verify_store(store)[1]] == [
        (champion_key(NAME), "damaged"),
        (release_log_key(NAME, 2), "damaged"),
    ]
