"""When a refresh has found news: whoever shows what the index holds looks again then, and only then."""

import contextlib
import json

import pytest

from components.contract.digests import canonical_json
from pipelines.lineage.index.database import connect, index_path, unfinished_path
from pipelines.lineage.index.opening import open_index
from pipelines.lineage.index.refreshing import Refresher
from pipelines.stores.layout import step_of_record, step_record_key
from pipelines.stores.opening import open_store
from tests.data.histories import History, Picture

PICTURES = [Picture(f"p/{number}.png", "p", number) for number in range(5)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def changed(store) -> str:
    with open_index(store) as index:
        (found,) = index.one("SELECT value FROM meta WHERE name = 'changed'")
    return found


def test_a_run_without_an_end_is_news_once(store_uri):
    store = open_store(store_uri("one"))
    history = History(store)
    history.run(PICTURES)
    history.run(PICTURES, seed=1, ends=False)
    first = changed(store)
    assert changed(store) == first
    history.run(PICTURES, seed=2)
    assert changed(store) != first


def test_another_record_of_a_run_without_an_end_is_news(tmp_path):
    store = open_store(str(tmp_path / "store"))
    history = History(store)
    run = history.run(PICTURES, ends=False)
    before = changed(store)
    _, first, _ = step_of_record(step_record_key(run, "convert-0"))
    record = json.loads(store.get(step_record_key(run, first)))
    store.put_if_absent(step_record_key(run, "more"), canonical_json(record))
    assert changed(store) != before
    with open_index(store) as index:
        steps = [step for (step,) in index.execute("SELECT step FROM run_step ORDER BY step")]
    assert "more" in steps


ANNA = [Picture(f"anna-bell/{number}.png", "anna-bell", number) for number in range(5)]


def erased(history) -> None:
    """All that says who was in the data is gone from the store."""
    history.remove(list(history.store.list("cas/")), why="erased")


@pytest.mark.parametrize("finished", [True, False])
def test_what_was_erased_is_nowhere_in_the_file(tmp_path, finished):
    store = open_store(str(tmp_path / "store"))
    history = History(store)
    history.run(ANNA)
    path = index_path(store.uri) if finished else unfinished_path(index_path(store.uri))
    path.parent.mkdir(parents=True)
    with contextlib.closing(connect(path)) as database:  # unfinished: as a kill leaves it
        Refresher(store, database).read_all()
    assert b"anna-bell" in path.read_bytes()
    erased(history)
    open_index(store).close()
    for left in index_path(store.uri).parent.iterdir():
        assert b"anna-bell" not in left.read_bytes(), left
