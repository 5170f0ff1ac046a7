"""What differs between two snapshots, as the database finds it, is what a whole comparison finds."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.lineage.comparing.samples import Fate, compare_samples
from pipelines.lineage.index.opening import open_index
from pipelines.lineage.snapshots.differences import changes_between, side_of
from pipelines.stores.directory import DirectoryStore
from tests.data.histories import History, Picture

PICTURES = st.builds(
    Picture,
    name=st.sampled_from([f"{folder}/{n}.png" for folder in "ab" for n in range(4)]),
    label=st.sampled_from(["anna", "ben"]),
    shows=st.integers(0, 6),
    coding=st.integers(0, 1),
    sound=st.sampled_from([True, True, True, False]),
)
DATA = st.lists(PICTURES, min_size=1, max_size=8, unique_by=lambda one: one.name)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def sources(index):
    rows = index.execute(
        "SELECT s.digest FROM run r JOIN run_source rs ON rs.run = r.id"
        " JOIN source s ON s.id = rs.source ORDER BY r.started"
    )
    return [digest.hex() for (digest,) in rows]


def every_fate(index, dataset):
    rows = index.execute(
        "SELECT name, sha, pixels, label, split, status FROM fate WHERE dataset = ?", [dataset]
    )
    return [
        Fate(name, sha.hex() if sha else None, shown.hex() if shown else None, label, split, status)
        for name, sha, shown, label, split, status in rows
    ]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=DATA, now=DATA)
def test_it_is_what_comparing_every_image_finds(tmp_path_factory, before, now):
    history = History(DirectoryStore(tmp_path_factory.mktemp("store"), durable=False))
    history.run(before)
    history.run(now)
    with open_index(history.store) as index:
        first, second = sources(index)
        one, other = side_of(index, first), side_of(index, second)
        assert one
        assert other
        found = changes_between(index, one, other, {})
        whole = compare_samples(every_fate(index, one.dataset), every_fate(index, other.dataset))
    assert not found.by_files
    assert replace(found.samples, before=whole.before, now=whole.now) == whole
    assert found.samples.before == whole.before


def test_where_no_manifest_is_left_files_are_compared(tmp_path):
    history = History(DirectoryStore(tmp_path / "store", durable=False))
    pictures = [Picture(f"a/{n}.png", "anna", n) for n in range(200)]
    history.run(pictures)
    history.run([*pictures[1:], Picture("a/new.png", "anna", 500)])
    with open_index(history.store) as index:
        first, second = sources(index)
        one, other = side_of(index, first), side_of(index, second)
        assert one
        assert other
        found = changes_between(index, replace(one, dataset=None), other, {})
    assert found.by_files
    assert found.samples.added == ["a/new.png"]
    assert found.samples.removed == ["a/0.png"]
    assert not found.samples.relabelled


def test_what_is_no_data_has_no_side(tmp_path):
    history = History(DirectoryStore(tmp_path / "store", durable=False))
    history.run([Picture(f"a/{n}.png", "anna", n) for n in range(5)])
    with open_index(history.store) as index:
        (model,) = index.one("SELECT digest FROM artifact WHERE kind = 'Model'")
        assert side_of(index, model.hex()) is None
        assert side_of(index, "0" * 64) is None
