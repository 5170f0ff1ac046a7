"""A collection that is killed at any of its writes is finished by the next one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.retention.collecting import gc
from pipelines.runs.cache import Cache
from pipelines.runs.removal.tombstones import tombstone_of
from pipelines.stores.layout import kind_of
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.pipelines.retention.small_runs import History, long_ago, orphan, whole

WRITES = ("put_if_absent", "replace_if_match", "delete_if_match")


class KillingStore:
    """A store whose process is killed before one of its writes, which is after the one before."""

    def __init__(self, store: Store, chosen: int) -> None:
        self._store, self._left = store, chosen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return self._counted(method) if name in WRITES else method

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def write(*arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments)

        return write


def fill(store: Store, folder: Path) -> str:
    """Leave a release of one step, and a result of an old run that nothing rests on."""
    cache, tree = Cache(store, folder), ""
    for run, kept in (("digits-1", True), ("digits-2", False)):
        history = History(cache, run, long_ago())
        history.start()
        history.step("publish", {"release": {"x": run.encode(), "y": b"shared"}}, {"run": run})
        history.end()
        if kept:
            tree = history.release()
    orphan(cache, {"z": b"orphan", "y": b"shared"})
    return tree


def killed(uri: str, chosen: int, folder: Path) -> bool:
    """Collect in a process that is killed at this point; False where it ended before."""
    process = os.fork()
    if process == 0:
        store: Any = KillingStore(open_store(uri, cache=folder), chosen)
        for _ in range(2):
            gc(store, actor="me", wait_s=0)
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def finished(store: Store) -> set[str]:
    """Collect until nothing is left to do; return what lies there then, without the lists."""
    for _ in range(3):
        gc(store, actor="me", wait_s=0)
    assert not gc(store, actor="me", wait_s=0).finished
    return {key for key in store.list("") if kind_of(key) not in ("collection", "journal")}


@pytest.mark.parametrize(("kind", "step"), [("directory", 1), ("bucket", 4)])
def test_the_next_one_ends_what_a_killed_one_began(
    kind: str, step: int, request: pytest.FixtureRequest, fast_disk: Path
) -> None:
    if kind == "bucket":
        request.getfixturevalue("gcs_process")()
    points = 0
    after: list[set[str]] = []
    while True:
        uri = f"gs://stores/{points}" if kind == "bucket" else str(fast_disk / f"store-{points}")
        store = open_store(uri, cache=fast_disk / "cache", direct=True)
        tree = fill(store, fast_disk / "scratch")
        was_killed = killed(uri, points, fast_disk / "cache")
        after.append(finished(store))
        assert whole(Cache(store, fast_disk / "scratch"), [tree])
        for key in store.list("tombstones/"):
            digest = key.removeprefix("tombstones/").removesuffix(".json")
            there = {f"trees/{digest}.json", f"cas/sha256/{digest[:2]}/{digest}"} & after[-1]
            assert not there, "a tombstone of what is there"
            assert any(
                tombstone_of(store, name)
                for name in (f"trees/{digest}.json", f"cas/sha256/{digest[:2]}/{digest}")
            )
        if not was_killed:
            break
        points += step
    assert points > 8
    assert all(keys == after[0] for keys in after)
