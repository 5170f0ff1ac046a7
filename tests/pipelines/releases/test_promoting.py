"""Promoting and rolling back: what the log says afterwards, whoever else does the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.config.releases import GateSection, ReleasesSection
from pipelines.releases import gate
from pipelines.releases.promoting import Promoted, promote, roll_back
from pipelines.releases.published import PublishedRelease, read_published
from pipelines.releases.states import states_of
from pipelines.runs.cache import Cache
from pipelines.runs.releases.champions import champion_of
from pipelines.runs.releases.registry import registered
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import blob_key, champion_key, release_log_key
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.data.challengers import Run, write_run
from tests.data.releases import NAME, put_release, rewrite
from tests.pipelines.stores.damage import remove

ROOT = Path(__file__).parents[3]
SETTINGS = ReleasesSection()


@pytest.fixture
def store(store_uri: Callable[[str], str]) -> Store:
    """An empty store: on a disk, and on a storage service."""
    return open_store(store_uri("releases"))


@pytest.fixture
def cache(store: Store, tmp_path: Path) -> Cache:
    return Cache(store, tmp_path / "work")


def published(cache: Cache, run: str, **given: Any) -> PublishedRelease:
    found = read_published(cache, NAME, run, put_release(cache.store, run, **given))
    assert found
    return found


def wish(
    cache: Cache,
    challenger: PublishedRelease,
    *,
    settings: ReleasesSection = SETTINGS,
    actor: str = "ann@desk",
    reason: str | None = None,
    force: str | None = None,
) -> Promoted:
    """Promote, with the gate as it is."""
    return promote(
        cache, challenger, settings, actor=actor, reason=reason, force=force,
        judge=partial(gate.judge, cache),
    )  # fmt: skip


def back(cache: Cache, **given: Any) -> Promoted:
    return roll_back(cache, NAME, SETTINGS, actor="ann@desk", reason="crashes", **given)


@pytest.fixture
def promoted(cache: Cache) -> list[PublishedRelease]:
    """Three releases, each promoted after the other, the later ones by force."""
    releases = [published(cache, f"{NAME}-{letter}") for letter in "abc"]
    for one in releases:
        wish(cache, one, force="no data is kept")
    return releases


def states(cache: Cache) -> dict[str, str]:
    return {state.run[-1]: state.state for state in states_of(cache, NAME)}


def test_the_first_that_qualifies_is_promoted(cache: Cache) -> None:
    first = published(cache, "faces-a")
    assert states(cache) == {"a": "candidate"}
    done = wish(cache, first)
    assert done.outcome == "promoted"
    (entry,) = read_log(cache.store, NAME).entries
    assert entry == done.entry
    assert (entry.kind, entry.actor, entry.trained_by, entry.forced) == (
        "promote", "ann@desk", "", False,
    )  # fmt: skip
    assert (entry.gate or {})["verdict"] == "yes"
    assert "no champion yet" in entry.reason
    assert json.loads(cache.store.get(champion_key(NAME)))["release"] == first.release
    assert wish(cache, first).outcome == "unchanged"
    assert len(read_log(cache.store, NAME).entries) == 1
    assert states(cache) == {"a": "champion"}
    if cache.store.uri.startswith("gs://"):
        assert entry.url == "https://storage.googleapis.com/" + cache.store.uri[5:]
    else:
        assert entry.url is None


def test_a_reason_is_kept_beside_what_the_gate_says_and_persuades_no_gate(cache: Cache) -> None:
    poor = published(cache, "faces-a", qualified=False, reasons=["drop 0.1 exceeds 0.02"])
    assert wish(cache, poor, reason="it is needed").outcome == "refused"
    entry = wish(cache, published(cache, "faces-b"), reason="newer data").entry
    assert entry
    assert (entry.reason, entry.forced) == ("newer data", False)
    assert "no champion yet" in (entry.gate or {})["reasons"][0]


def test_one_that_does_not_qualify_needs_somebody_who_answers_for_it(cache: Cache) -> None:
    poor = published(cache, "faces-a", qualified=False, reasons=["drop 0.1 exceeds 0.02"])
    assert states(cache) == {"a": "unqualified"}
    done = wish(cache, poor)
    assert (done.outcome, done.entry) == ("refused", None)
    assert done.finding
    assert done.finding.reasons == ("it does not qualify: drop 0.1 exceeds 0.02",)
    assert read_log(cache.store, NAME).entries == ()
    forced = wish(cache, poor, force="the demo is tomorrow").entry
    assert forced
    assert (forced.forced, forced.reason) == (True, "the demo is tomorrow")
    assert (forced.gate or {})["verdict"] == "no"


def test_what_the_gate_cannot_decide_is_refused(cache: Cache) -> None:
    wish(cache, published(cache, "faces-a"))
    done = wish(cache, published(cache, "faces-b"))
    assert done.outcome == "refused"
    assert done.finding
    assert done.finding.verdict == "cannot decide"


@pytest.mark.parametrize("store_uri", ["bucket"], indirect=True)
def test_the_log_keeps_what_the_gate_found(cache: Cache) -> None:
    """With real models; ``test_gate.py`` evaluates on a disk."""
    before = write_run(cache, Run("faces-a", noise=0.2))
    after = write_run(cache, Run("faces-b", actor="bob@desk"))
    wish(cache, before)
    settings = ReleasesSection(gate=GateSection(least_images=260))
    done = wish(cache, after, settings=settings)
    assert done.outcome == "promoted", done.finding
    entry = read_log(cache.store, NAME).entries[1]
    assert entry.trained_by == "bob@desk"
    assert entry.gate
    assert entry.gate["drop"]["high"] < 0.01
    assert entry.gate["images"] == 260
    assert entry.gate["champion"] == before.release
    assert (champion_of(cache.store, NAME) or {})["previous"]["release"] == before.release
    foreign = [fault for fault in verify_store(cache.store)[1] if "started" not in fault.what]
    assert foreign == []


# two people -------------------------------------------------------------------------------------


def test_two_people(cache: Cache) -> None:
    settings = ReleasesSection(two_people=True)
    trained = write_run(cache, Run("faces-a", actor="Bob@desk"))
    for actor in ("Bob@desk", "bob@laptop", " BOB "):
        with pytest.raises(UserError, match="another person has to promote") as caught:
            wish(cache, trained, settings=settings, actor=actor, force="I may")
        assert "ask another person" in caught.value.fix
    assert wish(cache, trained, settings=settings, actor="ann@desk").outcome == "promoted"


def test_two_people_need_to_know_both(cache: Cache) -> None:
    settings = ReleasesSection(two_people=True)
    nobodys = published(cache, "faces-a")
    with pytest.raises(UserError, match="nobody knows who started the run") as caught:
        wish(cache, nobodys, settings=settings)
    assert "slimline run CONFIG again" in caught.value.fix
    again = write_run(cache, Run("faces-b"))
    assert wish(cache, again, settings=settings).outcome == "promoted"


# rolling back -----------------------------------------------------------------------------------


def test_back_to_the_champion_before(cache: Cache, promoted: list[PublishedRelease]) -> None:
    done = back(cache)
    assert done.outcome == "rolled back"
    assert done.published == promoted[1]
    assert states(cache) == {"a": "past", "b": "champion", "c": "rolled back"}
    assert back(cache).published == promoted[0]
    with pytest.raises(UserError, match="there is none before it"):
        back(cache)
    wish(cache, promoted[2], force="mended")
    assert states(cache) == {"a": "past", "b": "rolled back", "c": "champion"}


def test_back_to_one_that_is_named(cache: Cache, promoted: list[PublishedRelease]) -> None:
    other = published(cache, "faces-d")
    with pytest.raises(UserError, match="was never the champion") as caught:
        back(cache, to=other)
    assert "slimline promote faces-d" in caught.value.fix
    with pytest.raises(UserError, match="is the champion already"):
        back(cache, to=promoted[2])
    assert back(cache, to=promoted[0]).entry == read_log(cache.store, NAME).champion
    assert (champion_of(cache.store, NAME) or {})["release"] == promoted[0].release


def test_nothing_was_promoted_yet(cache: Cache) -> None:
    published(cache, "faces-a")
    with pytest.raises(UserError, match="nothing to roll back"):
        back(cache)


def flip(store: Store, key: str) -> None:
    data = store.get(key)
    rewrite(store, key, data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize("damage", [flip, remove])
def test_a_rollback_reads_every_byte_first(
    cache: Cache, promoted: list[PublishedRelease], damage: Callable[[Store, str], None]
) -> None:
    (model,) = promoted[1].models
    whole = cache.store.get(blob_key(model.sha256))
    damage(cache.store, blob_key(model.sha256))
    before = cache.store.get(champion_key(NAME))
    fresh = Cache(cache.store, cache._scratch)
    with pytest.raises(UserError, match=r"the release faces@faces-b .* is damaged"):
        back(fresh)
    with pytest.raises(UserError, match="is damaged"):
        wish(fresh, promoted[1], force="still")
    assert cache.store.get(champion_key(NAME)) == before
    assert len(read_log(cache.store, NAME).entries) == 3
    if cache.store.stat(blob_key(model.sha256)) is None:  # the fix: made again
        cache.store.put_if_absent(blob_key(model.sha256), whole)
    else:
        rewrite(cache.store, blob_key(model.sha256), whole)
    assert back(fresh).outcome == "rolled back"


@pytest.mark.parametrize("damage", [flip, remove])
def test_promoting_the_champion_again_names_what_of_it_is_damaged(
    cache: Cache, damage: Callable[[Store, str], None]
) -> None:
    settings = ReleasesSection(url="https://models.example.com/m")  # has to be read for apps
    first = published(cache, "faces-a")
    wish(cache, first, settings=settings)
    assert wish(cache, first, settings=settings).outcome == "unchanged"
    (model,) = first.models
    damage(cache.store, blob_key(model.sha256))
    with pytest.raises(UserError, match=r"the release faces@faces-a .* is damaged"):
        wish(Cache(cache.store, cache._scratch), first, settings=settings)


def test_no_champion_changes_on_a_log_that_was_edited(
    cache: Cache, promoted: list[PublishedRelease]
) -> None:
    flip(cache.store, release_log_key(NAME, 2))
    for change in (lambda: wish(cache, promoted[0], force="x"), lambda: back(cache)):
        with pytest.raises(UserError, match="entry 2 is not JSON"):
            change()
    assert cache.store.stat(release_log_key(NAME, 4)) is None
    assert states(cache) == {"a": "champion", "b": "candidate", "c": "candidate"}


# two at once ------------------------------------------------------------------------------------


def test_of_two_threads_each_decides_on_what_the_other_did(cache: Cache) -> None:
    names = [f"{NAME}-{who}{number}" for who in "ab" for number in range(3)]
    releases = {run: published(cache, run) for run in names}
    own = {who: Cache(cache.store, cache._scratch) for who in "ab"}

    def work(who: str) -> None:
        for run, one in releases.items():
            if run[-2] == who:
                wish(own[who], one, actor=who, force="now")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, "ab"))
    log = read_log(cache.store, NAME)
    assert (log.faults, len(log.entries)) == ((), 6)
    for before, entry in zip(log.entries, log.entries[1:], strict=False):
        assert (entry.gate or {})["champion"] == before.release  # decided on what was true
    assert (log.entries[0].gate or {})["champion"] is None
    assert json.loads(cache.store.get(champion_key(NAME)))["seq"] == 6


_PROCESS = """
import sys
from functools import partial
from pathlib import Path
from pipelines.config.releases import ReleasesSection
from pipelines.releases import gate
from pipelines.releases.promoting import promote
from pipelines.releases.published import read_published
from pipelines.runs.cache import Cache
from pipelines.stores.opening import open_store
store, folder, who, *runs = sys.argv[1:]
cache = Cache(open_store(store), Path(folder) / who)
settings = ReleasesSection()
for item in runs:
    run, _, release = item.partition(":")
    one = read_published(cache, "faces", run, release)
    done = promote(cache, one, settings, actor=who, force="now",
        judge=partial(gate.judge, cache))
    assert done.outcome == "promoted", done
"""


def test_two_processes_at_once(store: Store, tmp_path: Path) -> None:
    runs = {who: [f"{NAME}-{who}{number}" for number in range(3)] for who in "ab"}
    given = {
        who: [f"{run}:{put_release(store, run)}" for run in mine] for who, mine in runs.items()
    }
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, store.uri, str(tmp_path), who, *items],
            cwd=ROOT,
            env={**os.environ},
        )
        for who, items in given.items()
    ]
    assert [racer.wait(60) for racer in racers] == [0, 0]
    log = read_log(store, NAME)
    assert (log.faults, len(log.entries)) == ((), 6)
    assert {run for run, _ in registered(store, NAME)} == {entry.run for entry in log.entries}
    assert json.loads(store.get(champion_key(NAME)))["seq"] == 6


# states -----------------------------------------------------------------------------------------


def test_every_state(cache: Cache, promoted: list[PublishedRelease]) -> None:
    back(cache)
    published(cache, "faces-0")
    published(cache, "faces-d")
    published(cache, "faces-e", qualified=False, reasons=["poor"])
    broken = published(cache, "faces-f")
    remove(cache.store, f"trees/{broken.release}.json")
    assert states(Cache(cache.store, cache._scratch)) == {
        "f": "damaged", "e": "unqualified", "d": "candidate", "c": "rolled back",
        "b": "champion", "a": "past", "0": "older",
    }  # fmt: skip
