"""Random histories: the answer is that of a walk over the records, however the index came about."""

import random
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.lineage.affected import affected, first_affected
from pipelines.lineage.index.exporting import export_lines
from pipelines.lineage.index.opening import open_index, rebuild
from pipelines.lineage.sightings import Searched
from pipelines.stores.directory import DirectoryStore
from tests.data.histories import NAME, History, Picture
from tests.data.walks import walked

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["run", "run", "run", "killed", "apart", "add", "add", "drop", "relabel", "recode",
             "copy", "spoil", "promote", "rollback", "collect", "erase", "refresh", "refresh"]
        ),
        st.integers(0, 7),
        st.integers(0, 3),
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def exported(store, *, refresh: bool = True) -> list[str]:
    with open_index(store, refresh=refresh) as index:
        return [line.decode() for line in export_lines(index)]


class Told:
    """Makes a history of drawn numbers."""

    def __init__(self, folder: Path) -> None:
        self.store = DirectoryStore(folder, durable=False)
        self.history = History(self.store)
        self.pictures = {
            f"p{n % 2}/{n}.png": Picture(f"p{n % 2}/{n}.png", f"P{n % 2}", n) for n in range(5)
        }
        self.ever = set(self.pictures.values())

    def happen(self, what: str, one: int, other: int) -> None:
        names = sorted(self.pictures)
        chosen = self.pictures[names[one % len(names)]]
        match what:
            case "run" | "killed" | "apart":
                self.history.run(
                    list(self.pictures.values()), seed=one % 2, split=other % 2,
                    ends=what != "killed", together=what != "apart", qualified=one != 5,
                    variants=1 + one % 2,
                )  # fmt: skip
            case "add":
                self._put(Picture(f"p{other}/new{one}.png", f"P{other}", 10 + one))
            case "copy":
                self._put(replace(chosen, name=f"{chosen.name}.copy.png", coding=other))
            case "relabel":
                self._put(replace(chosen, label=f"P{other}"))
            case "recode":
                self._put(replace(chosen, coding=other))
            case "spoil":
                self._put(replace(chosen, sound=False))
            case "drop" if len(names) > 2:
                del self.pictures[chosen.name]
            case "promote" | "rollback" if self.history.releases:
                release = self.history.releases[one % len(self.history.releases)]
                self.history.promote(*release, kind=what)
            case "collect" | "erase":
                keys = [key for key in self.store.list("") if key.startswith(("cas/", "trees/"))]
                gone = random.Random(one * 10 + other).sample(keys, len(keys) // 4)
                self.history.remove(gone, "collected" if what == "collect" else "erased")
            case "refresh":
                exported(self.store)
            case _:
                pass

    def _put(self, picture: Picture) -> None:
        self.pictures[picture.name] = picture
        self.ever.add(picture)


def answers(index, **searched) -> dict[str, dict[str, int]]:
    whole = affected(index, Searched(**searched))
    for most in (0, 1, 100):
        some, number = first_affected(index, Searched(**searched), (), most)
        assert number == len(whole.releases)
        assert some.releases == whole.releases[: max(most, len(whole.champions))]
    return {one.run: dict(one.roles) for one in whole.releases}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_answers_are_those_of_a_walk_over_the_records(events):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        told = Told(Path(folder) / "store")
        told.happen("run", 0, 0)
        for event in events:
            told.happen(*event)
        refreshed = exported(told.store)
        rebuild(told.store)
        assert refreshed == exported(told.store, refresh=False)
        with open_index(told.store, refresh=False) as index:
            for picture in told.ever:
                walk = walked(told.store, sha=picture.sha)
                assert answers(index, sha256=picture.sha) == roles(walk), picture
                walk = walked(told.store, pixels=picture.pixels)
                assert answers(index, pixels=(picture.pixels,)) == roles(walk), picture
            for name in ("p0", " P1 "):
                walk = walked(told.store, identity=name.casefold().strip())
                assert answers(index, identity=name) == roles(walk), name
            standings = dict(index.execute("SELECT run, state FROM release"))
        for run, (standing, _) in walk.items():
            assert standings[run] == standing or not standing, (NAME, run)


def roles(walk) -> dict[str, dict[str, int]]:
    return {run: dict(found) for run, (_, found) in walk.items()}
