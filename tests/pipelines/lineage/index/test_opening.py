"""The index of a store: made, brought up to date, and made anew where it is of no use."""

import pytest

from pipelines.lineage.index import database
from pipelines.lineage.index.database import index_path, locked
from pipelines.lineage.index.opening import open_index, rebuild
from pipelines.lineage.index.schema import VERSION
from pipelines.stores.opening import open_store
from tests.pipelines.runs.kept_run import DECISION, Kept


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_store_without_anything_has_an_empty_index(store_uri):
    with open_index(open_store(store_uri("nothing"))) as index:
        assert index.one("SELECT count(*) FROM run") == (0,)


def test_a_run_is_found_with_its_steps(tmp_path):
    kept = Kept(tmp_path, DECISION)
    with open_index(kept.store) as index:
        assert index.one("SELECT run, name, outcome FROM run") == ("digits-1", "digits", "done")
        steps = [step for (step,) in index.execute("SELECT step FROM run_step ORDER BY step")]
    assert steps == sorted(kept.steps)


def test_what_is_no_database_is_made_anew(tmp_path):
    kept = Kept(tmp_path, DECISION)
    path = rebuild(kept.store)
    assert path == index_path(kept.store.uri)
    path.write_bytes(b"no database" * 1000)
    with open_index(kept.store) as index:
        assert index.one("SELECT count(*) FROM run") == (1,)


def test_another_store_at_the_same_place_has_an_index_of_its_own(tmp_path):
    kept = Kept(tmp_path, DECISION)
    open_index(kept.store).close()
    kept.store.delete_if_match(
        "runs/digits-1/run.json", kept.store.stat("runs/digits-1/run.json").version
    )
    with open_index(kept.store) as index:
        assert index.one("SELECT count(*) FROM run") == (0,)


def test_nobody_writes_through_an_index_that_is_open(tmp_path):
    with (
        open_index(Kept(tmp_path, DECISION).store) as index,
        pytest.raises(Exception, match="read"),
    ):
        index.execute("DELETE FROM run")


def as_version(monkeypatch, version):
    monkeypatch.setattr(database, "VERSION", version)


def test_two_versions_of_slimline_do_not_take_each_other_s_index(tmp_path, monkeypatch):
    kept = Kept(tmp_path, DECISION)
    newer = open_index(kept.store)
    as_version(monkeypatch, VERSION - 1)
    older = open_index(kept.store)
    for version, index in ((VERSION, newer), (VERSION - 1, older)):
        index.close()
        as_version(monkeypatch, version)
        made = index_path(kept.store.uri).stat().st_ino
        open_index(kept.store).close()
        assert index_path(kept.store.uri).stat().st_ino == made


@pytest.mark.parametrize("name", ["{store}.3.sqlite", "{store}.sqlite", "{store}.3.sqlite.new"])
def test_who_makes_an_index_removes_those_of_versions_before(tmp_path, name):
    kept = Kept(tmp_path, DECISION)
    path = index_path(kept.store.uri)
    old = path.with_name(name.format(store=path.name.partition(".")[0]))
    rebuild(kept.store).rename(old)
    other = path.with_name(f"{'0' * 64}.3.sqlite")
    other.write_bytes(b"of another store")
    open_index(kept.store).close()
    assert not old.exists()
    assert other.exists()


def test_an_index_of_a_version_before_that_is_being_written_stays(tmp_path):
    kept = Kept(tmp_path, DECISION)
    path = index_path(kept.store.uri)
    old = path.with_name(f"{path.name.partition('.')[0]}.{VERSION - 1}.sqlite")
    rebuild(kept.store).rename(old)
    with locked(old):
        open_index(kept.store).close()
    assert old.exists()
