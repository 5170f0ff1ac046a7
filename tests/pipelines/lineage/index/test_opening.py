"""The index of a store: made, brought up to date, and made anew where it is of no use."""

import pytest

from pipelines.lineage.index.database import index_path
from pipelines.lineage.index.opening import open_index, rebuild
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
