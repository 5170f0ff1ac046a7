"""The index holds the same however it came about."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.lineage.index.database import index_path
from pipelines.lineage.index.exporting import export_lines
from pipelines.lineage.index.opening import open_index, rebuild
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.opening import open_store
from tests.data.histories import History, Picture

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def exported(store, *, refresh: bool = True) -> list[str]:
    with open_index(store, refresh=refresh) as index:
        return [line.decode() for line in export_lines(index)]


def pictures(count: int) -> list[Picture]:
    return [Picture(f"p{n % 3}/{n}.png", f"p{n % 3}", n) for n in range(count)]


@pytest.mark.parametrize("version", [1, 2])
def test_refreshed_and_rebuilt_are_equal(store_uri, version):
    store = open_store(store_uri("s"))
    history = History(store, version)
    history.run(pictures(6))
    exported(store)
    history.run(pictures(9), seed=1)
    history.run(pictures(9), seed=1, ends=False)
    if version == 2:
        history.promote(*history.releases[0])
        history.promote(*history.releases[1])
    if version == 1:
        rebuild(store)  # nothing announces what earlier versions write
    refreshed = exported(store)
    rebuild(store)
    assert refreshed == exported(store, refresh=False)
    assert not [line for line in refreshed if '"problem"' in line]
    assert len(refreshed) > 50


def test_the_order_in_which_runs_arrive_changes_nothing(tmp_path):
    """As with sync: a cached step's record may come long after the run that names it."""
    first = History(DirectoryStore(tmp_path / "one", durable=False))
    for seed in range(3):
        first.run(pictures(6 + seed % 2), seed=seed % 2, together=seed != 1)
        first.run(pictures(6), seed=seed, ends=seed != 2)
    first.promote(*first.releases[0])
    wanted = exported(first.store)
    for seed in range(3):
        store = DirectoryStore(tmp_path / f"shuffled-{seed}", durable=False)
        events = list(first.events)
        random.Random(seed).shuffle(events)
        for event in events:
            for key, data in event:
                store.put_if_absent(key, data)
            exported(store)
        for key in first.store.list("releases/"):
            store.put_if_absent(key, first.store.get(key))
        assert exported(store) == wanted, seed
        rebuild(store)
        assert exported(store, refresh=False) == wanted, seed


def test_what_was_announced_and_is_not_there_yet_is_asked_for_again(store_uri):
    store = open_store(store_uri("s"))
    history = History(store)
    history.run(pictures(6))
    exported(store)
    run = history.run(pictures(7))
    late = open_store(store_uri("late"))
    for event in history.events:
        for key, data in event:
            if key != f"runs/{run}/run.json":
                late.put_if_absent(key, data)
    with open_index(late) as index:
        assert index.one("SELECT outcome FROM run WHERE run = ?", (run,)) == ("running",)
    late.put_if_absent(f"runs/{run}/run.json", store.get(f"runs/{run}/run.json"))
    assert exported(late) == exported(store)


KILLED = """
import os, signal, sys
from pipelines.lineage.index import refreshing
from pipelines.lineage.index.opening import open_index, rebuild
from pipelines.stores.opening import open_store

refreshing._BATCH = 2
refreshing._TRANSACTION_S = float(sys.argv[4])
left = int(sys.argv[2])
begin = refreshing.Transactions.writing

def counted(transactions):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return begin(transactions)

refreshing.Transactions.writing = counted
store = open_store(sys.argv[1])
(rebuild if sys.argv[3] == "rebuild" else open_index)(store)
"""


@pytest.mark.parametrize(
    ("how", "transaction_s"), [("rebuild", 0), ("refresh", 0), ("rebuild", 600)]
)
def test_the_next_one_continues_after_a_kill(tmp_path, how, transaction_s):
    """Killed between or within any two transactions, again and again until it ends."""
    history = History(DirectoryStore(tmp_path / "store", durable=False))
    for seed in range(4):
        history.run(pictures(6 + seed), seed=seed)
    history.promote(*history.releases[0])
    if how == "refresh":
        exported(history.store)
        history.run(pictures(12), seed=9)
        history.remove(list(history.store.list("cas/"))[:20])
    killed = 0
    for transactions in range(2, 60, 8 if transaction_s else 3):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, history.store.uri, str(transactions), how,
             str(transaction_s)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        killed += 1
    assert done.returncode == 0
    assert killed > 1
    refreshed = exported(history.store)
    for left in index_path(history.store.uri).parent.iterdir():
        left.unlink()
    assert refreshed == exported(history.store)


def test_a_reader_keeps_its_index_while_another_takes_the_place(tmp_path):
    history = History(DirectoryStore(tmp_path / "store", durable=False))
    history.run(pictures(6))
    with open_index(history.store) as before:
        history.run(pictures(7))
        rebuild(history.store)
        assert before.one("SELECT count(*) FROM run") == (1,)
        with open_index(history.store) as after:
            assert after.one("SELECT count(*) FROM run") == (2,)
        assert before.one("SELECT count(*) FROM run") == (1,)


def test_many_processes_at_once_make_one_index(tmp_path):
    history = History(DirectoryStore(tmp_path / "store", durable=False))
    for seed in range(3):
        history.run(pictures(6), seed=seed)
    command = [sys.executable, "-c", KILLED, history.store.uri, "1000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen([*command, how, "10"], cwd=ROOT, env=environment)
        for how in ("refresh", "rebuild", "refresh")
    ]
    assert [one.wait() for one in running] == [0, 0, 0]
    refreshed = exported(history.store)
    rebuild(history.store)
    assert refreshed == exported(history.store, refresh=False)
