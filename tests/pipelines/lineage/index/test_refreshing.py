"""When a refresh has found news: whoever shows what the index holds looks again then, and only then."""

import json

import pytest

from components.contract.digests import canonical_json
from pipelines.lineage.index.opening import open_index
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
