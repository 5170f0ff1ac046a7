"""Collecting: what nothing rests on goes, whatever else happens meanwhile, and nothing more."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.disk.scratch import scratch_folder
from pipelines.retention import collecting
from pipelines.retention.collecting import collect, condemn, gc, unfinished
from pipelines.retention.marking import Marked
from pipelines.runs.cache import Cache
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.removal.condemned import CondemnedValues
from pipelines.runs.removal.tombstones import tombstone_of
from pipelines.runs.workspace import workspace_root
from pipelines.stores.layout import (
    blob_digest,
    kind_of,
    result_key,
    run_key,
    signature_key,
    tree_key,
)
from tests.data.releases import entry_of
from tests.pipelines.retention.small_runs import (
    Files,
    History,
    compression,
    long_ago,
    orphan,
    put_files,
    whole,
)
from tests.pipelines.stores.damage import overwrite, remove

ORPHAN: Files = {"a": b"first", "b": b"second"}


def collected(cache: Cache, keep_s: float = collecting.KEEP_S) -> int:
    """Do both phases, one right after the other; return how many values went."""
    gc(cache.store, actor="me", keep_s=keep_s, wait_s=0)
    (one,) = gc(cache.store, actor="me", keep_s=keep_s, wait_s=0).finished
    return one.removed


def trees_of(history: History) -> list[str]:
    return [tree for outputs in history.outputs.values() for tree in outputs.values()]


def test_a_release_keeps_what_it_rests_on_and_the_losers_models_go(cache: Cache) -> None:
    history = compression(cache, "digits-1", long_ago())
    collected(cache)
    lost = [tree for tree in trees_of(history) if not whole(cache, [tree])]
    assert lost == [history.outputs["distill-loser"]["model"]]
    assert cache.lookup(str(history.steps["train"]["key"]))
    assert not cache.lookup(str(history.steps["distill-loser"]["key"]))


def test_of_an_old_run_without_a_release_stay_its_records_and_what_tells_of_it(
    cache: Cache,
) -> None:
    history = compression(cache, "digits-1", long_ago(), published=False)
    records = [key for key in cache.store.list("") if kind_of(key) not in ("blob", "result")]
    assert collected(cache) > 10
    assert set(records) <= set(cache.store.list(""))
    assert cache.read_file(history.outputs["ingest"]["dataset"], "manifest.jsonl")
    assert cache.read_file(history.outputs["select"]["decision"], "decision.json")
    for tree in (history.outputs["ingest"]["dataset"], history.outputs["publish"]["release"]):
        assert not whole(cache, [tree])
    assert not list(cache.store.list("ac/"))


def test_every_value_that_went_has_a_tombstone_that_says_who_and_why(cache: Cache) -> None:
    compression(cache, "digits-1", long_ago(), published=False)
    left = orphan(cache, ORPHAN)
    before = {key for key in cache.store.list("") if kind_of(key) in ("blob", "tree")}
    collected(cache)
    gone = before - set(cache.store.list(""))
    assert tree_key(left) in gone
    for key in gone:
        stone = tombstone_of(cache.store, key)
        assert stone
        assert (stone.why, stone.actor, stone.digest) == (
            "collected", "me", blob_digest(key) or left,
        )  # fmt: skip
    stones = list(cache.store.list("tombstones/"))
    assert len(stones) == len(gone)


def test_a_young_run_keeps_all_that_it_made(cache: Cache) -> None:
    young = compression(cache, "digits-2", long_ago(2), published=False)
    orphan(cache, ORPHAN)
    assert collected(cache, keep_s=3 * 86400) == 3
    assert whole(cache, trees_of(young))
    assert collected(cache, keep_s=1 * 86400) > 10


def test_a_run_that_was_killed_keeps_what_its_steps_recorded_while_it_is_young(
    cache: Cache,
) -> None:
    young = compression(cache, "digits-1", long_ago(1), published=False)
    history = compression(cache, "digits-2", long_ago(), published=False)
    for run in (young, history):
        remove(cache.store, run_key(run.run))
    collected(cache)
    assert whole(cache, trees_of(young))
    assert not whole(cache, [history.outputs["distill-loser"]["model"]])


def test_what_stands_in_a_log_stays_beside_its_signature(cache: Cache) -> None:
    store = cache.store
    history = compression(cache, "digits-1", long_ago(), published=False)
    release = history.outputs["publish"]["release"]
    entry = entry_of(release, run="digits-1", name="digits")
    assert append(store, read_log(store, "digits"), entry)
    store.put_if_absent(signature_key("digits", 1), b'{"signature": "of it"}')
    orphan(cache, ORPHAN)
    collected(cache)
    assert whole(cache, [release, history.outputs["ingest"]["dataset"]])


def test_what_was_executed_for_no_run_is_as_young_as_its_records(cache: Cache) -> None:
    gate = History(cache, "gate-1", long_ago())
    tree = gate.step("evaluate-champion", {"report": {"outputs.npy": b"x"}}, None, "evaluate")
    orphan(cache, ORPHAN)
    collected(cache)
    assert whole(cache, [tree["report"]])
    collected(cache, keep_s=0)
    assert not whole(cache, [tree["report"]])


def test_dry_run_changes_nothing_and_tells_the_same(cache: Cache) -> None:
    compression(cache, "digits-1", long_ago(), published=False)
    before = {key: cache.store.stat(key) for key in cache.store.list("")}
    told = gc(cache.store, actor="me", dry_run=True).condemned
    assert before == {key: cache.store.stat(key) for key in cache.store.list("")}
    done = gc(cache.store, actor="me").condemned
    assert told
    assert done
    assert (told.condemned, told.size_bytes) == (done.condemned, done.size_bytes)


def test_it_waits_between_the_phases(cache: Cache) -> None:
    orphan(cache, ORPHAN)
    assert gc(cache.store, actor="me").condemned
    again = gc(cache.store, actor="me")
    assert (again.finished, again.condemned) == ((), None)
    assert 86000 < again.waiting[0].after_s <= 86400
    assert len(list(cache.store.list("cas/"))) == 2
    assert gc(cache.store, actor="me", wait_s=0).finished[0].removed == 3
    assert not list(cache.store.list("cas/"))


@contextlib.contextmanager
def living(cache: Cache, run: str) -> Generator[History]:
    """A run that goes on, as an engine that has just begun: it knows no list yet."""
    store = cache.store
    with scratch_folder(workspace_root(store), run) as work:
        history = History(Cache(store, work), run, datetime.now(UTC), work=str(work))
        history.start()
        yield history


def dedup_hit_between_the_phases(cache: Cache) -> list[str]:
    """A run that begins after phase 1 finds a condemned blob and tree in their place."""
    left = orphan(cache, ORPHAN)
    condemn(cache.store, actor="me")
    with living(cache, "digits-2") as history:
        assert put_files(history.cache, ORPHAN) == left
        # It is not recorded yet, so that phase 2 cannot know of it.
        finish(cache)
    return [left]


def cached_result_between_the_phases(cache: Cache) -> list[str]:
    """A run that begins after phase 1 finds a condemned result."""
    old = compression(cache, "digits-1", long_ago(), published=False)
    condemn(cache.store, actor="me")
    with living(cache, "digits-2") as history:
        found = history.cache.lookup(str(old.steps["train"]["key"]))
        assert found
        finish(cache)
    assert cache.store.stat(result_key(found.key)), "the result is gone"
    return list(found.outputs.values())


def upload_across_phase_1(cache: Cache) -> list[str]:
    """A run has uploaded a tree before phase 1 and records it afterwards."""
    with living(cache, "digits-2") as history:
        tree = orphan(history.cache, ORPHAN)
        condemn(cache.store, actor="me")
        history.step("train", {"model": tree})
        history.end()
    finish(cache)
    return [tree]


def run_that_never_read_the_list(cache: Cache) -> list[str]:
    """A run read the list before phase 1, and relies on a value after it."""
    left = orphan(cache, ORPHAN)
    with living(cache, "digits-2") as history:
        for _ in range(2):
            put_files(history.cache, {"c": b"third"})  # so it knows that nothing is condemned
        condemn(cache.store, actor="me")
        assert put_files(history.cache, ORPHAN) == left
        finish(cache)  # it has to wait
        history.step("train", {"model": left})
        history.end()
    finish(cache)
    return [left]


def finish(cache: Cache) -> None:
    """Do phase 2 of what need not wait."""
    for due in unfinished(cache.store, 0, datetime.now(UTC)):
        if due.now:
            collect(cache.store, due)


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        dedup_hit_between_the_phases,
        cached_result_between_the_phases,
        upload_across_phase_1,
        run_that_never_read_the_list,
    )
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_that_a_run_relies_on_is_lost(cache: Cache, name: str) -> None:
    assert whole(cache, SCENARIOS[name](cache))
    finish(cache)
    assert not unfinished(cache.store, 0, datetime.now(UTC)), "it never comes to an end"


def age_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def remove_old(store: Any, key: str, _: Any) -> Any:
        stat = store.stat(key)
        return store.delete_if_match(key, stat.version) and stat

    monkeypatch.setattr(collecting, "_remove", remove_old)


def no_rewrite_on_a_dedup_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(*_: Any) -> bool:
        return True

    monkeypatch.setattr(CondemnedValues, "renew", trusting)


def no_second_marking(monkeypatch: pytest.MonkeyPatch) -> None:
    mark, calls = collecting.mark, [0]

    def first_only(*arguments: Any) -> Marked:
        calls[0] += 1
        return mark(*arguments) if calls[0] == 1 else Marked()

    monkeypatch.setattr(collecting, "mark", first_only)


def no_wait_for_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(collecting, "list_runs", nobody)


MUTATIONS: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (age_alone, "dedup_hit_between_the_phases"),
    (age_alone, "cached_result_between_the_phases"),
    (no_rewrite_on_a_dedup_hit, "dedup_hit_between_the_phases"),
    (no_rewrite_on_a_dedup_hit, "cached_result_between_the_phases"),
    (no_second_marking, "upload_across_phase_1"),
    (no_wait_for_runs, "run_that_never_read_the_list"),
]


@pytest.mark.parametrize(("mutation", "name"), MUTATIONS)
def test_the_scenarios_notice_what_is_left_out(
    cache: Cache,
    mutation: Callable[[pytest.MonkeyPatch], None],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutation(monkeypatch)
    with pytest.raises(AssertionError, match=r"whole|the result is gone"):
        assert whole(cache, SCENARIOS[name](cache))


class Beside:
    """Two writers, each a run after the other, beside two collectors, until enough was collected."""

    LEAST_RUNS, MOST_RUNS, ENOUGH = 4, 60, 4

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.faults: list[str] = []
        self.removed = [0, 0]
        self.ended = threading.Event()

    def write(self, number: int) -> None:
        """Find and make a few artifacts again and again; check what each run relies on."""
        chance = random.Random(number)
        for count in range(self.MOST_RUNS):
            if count >= self.LEAST_RUNS and sum(self.removed) >= self.ENOUGH:
                return
            with living(self._cache, f"writer{number}-{count}") as history:
                for _ in range(3):
                    name = chance.choice("abcdef")
                    files = {"x": name.encode(), "y": b"shared"}
                    history.step(f"train-{name}", {"model": files})
                trees = trees_of(history)
                if not whole(self._cache, trees):
                    self.faults.append(f"{history.run} lost one of {trees}")
                if chance.random() < 0.7:
                    history.end()
            if chance.random() < 0.5:
                orphan(self._cache, {"x": history.run.encode(), "y": b"shared"})

    def collect(self, number: int) -> None:
        """Collect as often as possible."""
        while not self.ended.is_set():
            done = gc(self._cache.store, actor="me", keep_s=0, wait_s=0)
            self.removed[number] += sum(one.removed for one in done.finished)

    def run(self) -> None:
        """Do all of it; what any of them raises is raised here."""
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(self.write, number) for number in (1, 2)]
            collectors = [pool.submit(self.collect, number) for number in (0, 1)]
            wait(writers)
            self.ended.set()
            for one in (*writers, *collectors):
                one.result()


def test_two_writers_beside_two_collectors(cache: Cache) -> None:
    beside = Beside(cache)
    beside.run()
    assert not beside.faults
    assert sum(beside.removed) >= Beside.ENOUGH, "nothing was collected beside them"


def test_a_damaged_record_hinders_it_and_the_fix_lets_it_go_on(cache: Cache) -> None:
    from pipelines.runs.verifying import quarantine_damaged, verify_store

    compression(cache, "digits-1", long_ago(), published=False)
    overwrite(cache.store, run_key("digits-1"), b"{")
    with pytest.raises(UserError, match=run_key("digits-1")) as caught:
        gc(cache.store, actor="me", wait_s=0)
    assert not list(cache.store.list("gc/"))
    assert "verify --quarantine" in caught.value.fix
    quarantine_damaged(cache.store, verify_store(cache.store)[1])
    assert collected(cache)


def test_with_a_damaged_list_writers_write_all_anew_and_nothing_goes(cache: Cache) -> None:
    orphan(cache, ORPHAN)
    condemned = condemn(cache.store, actor="me")
    assert condemned
    (key,) = cache.store.list("gc/")
    overwrite(cache.store, key, b"{")
    before = {key: cache.store.stat(key) for key in cache.store.list("cas/")}
    put_files(Cache(cache.store, Path("/nowhere")), ORPHAN)
    after = {key: cache.store.stat(key) for key in cache.store.list("cas/")}
    assert all(before[key] != after[key] for key in before)
    with pytest.raises(UserError, match="damaged"):
        gc(cache.store, actor="me", wait_s=0)
    assert len(list(cache.store.list("cas/"))) == 2


def test_a_writer_reads_the_list_again_after_ten_minutes(cache: Cache) -> None:
    left = orphan(cache, ORPHAN)
    time_s = [0.0]
    values = CondemnedValues(cache.store, Path("/nowhere"), clock=lambda: time_s[0])
    key = tree_key(left)
    values.renew(key)
    condemn(cache.store, actor="me")
    before = cache.store.stat(key)
    for time_s[0], renewed in ((599.0, False), (600.0, True)):
        values.renew(key, cache.store.get(key))
        assert (cache.store.stat(key) != before) == renewed
