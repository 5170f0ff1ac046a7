"""The index holds the same however it came about."""

import pytest

from pipelines.lineage.index.exporting import export_lines
from pipelines.lineage.index.opening import open_index, rebuild
from pipelines.stores.opening import open_store
from tests.data.histories import History, Picture


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
