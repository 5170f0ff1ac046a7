"""What pages share: news of every kind makes another version, and no request waits for the index."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.lineage.index.database import index_path, locked
from pipelines.lineage.index.opening import bring_up_to_date, read_index
from pipelines.runs.actions import Action, record_action
from pipelines.runs.live.cancelling import ask_to_end
from pipelines.runs.moments import now
from pipelines.runs.records import RunRecord, put_started
from pipelines.runs.workspace import machine_name
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import claim_key, trigger_key
from pipelines.web.news import news_of
from pipelines.web.service import Service
from pipelines.web.settings import KubeflowSettings, ServeSettings
from pipelines.web.standing import IndexMissingError, SyncHealth
from tests.data.histories import History, Picture
from tests.pipelines.web.calling import App
from tests.servers.kfp.server import KfpServer


def run(store: DirectoryStore, runs: int = 1) -> None:
    history = History(store)
    for seed in range(runs):
        history.run([Picture(f"p/{n}.png", "p", n) for n in range(4)], seed=seed)


def service_of(store: DirectoryStore) -> Service:
    service = Service(store, ServeSettings(store=store.uri))
    service.refresh()
    return service


def act(store: DirectoryStore) -> None:
    record_action(store, Action(now(), "anna", "pause", "nightly"))


def rewrite(store: DirectoryStore) -> None:
    key = trigger_key("nightly")
    store.put_if_absent(key, b"{}")
    found = store.stat(key)
    assert found
    store.replace_if_match(key, b"{} ", found.version)


def claim(store: DirectoryStore) -> None:
    store.put_if_absent(claim_key("a" * 64), b"{}")


NEWS: dict[str, Callable[[DirectoryStore], object]] = {
    "a run": lambda store: run(store, runs=2),
    "an action": act,
    "a trigger": rewrite,
    "a claim": claim,
}


@pytest.mark.parametrize("kind", NEWS)
def test_news_of_every_kind_is_another_version(store: DirectoryStore, kind: str) -> None:
    run(store)
    service = service_of(store)
    before = service.version
    service.refresh()
    assert service.version == before, "without news it stays"
    NEWS[kind](store)
    service.refresh()
    assert service.version != before


def test_a_page_is_unchanged_until_there_is_news(store: DirectoryStore) -> None:
    run(store)
    app = App(store)
    first = app.get("/runs")
    sent = {"if-none-match": first.headers["etag"]}
    assert app.get("/runs", headers=sent).status == 304
    assert app.get("/runs?name=other", headers=sent).status == 200, "of another address"
    act(store)
    app.refresh()
    assert app.get("/runs", headers=sent).status == 200


def test_while_there_is_no_index_a_page_says_how_far_it_is(store: DirectoryStore) -> None:
    run(store)
    app = App(store)
    assert app.get("/runs").status == 200
    path = index_path(store.uri)
    path.unlink()
    app.service._told(1200, 10_000)
    answer = app.get("/runs")
    assert answer.status == 200
    assert "1,200 of 10,000 runs are read" in answer.text
    assert not path.exists(), "no request makes it"
    app.service._told(1300, 10_000)
    sent = {"if-none-match": answer.headers["etag"]}
    assert "1,300 of 10,000" in app.get("/runs", headers=sent).text
    app.refresh()
    assert "of 10,000" not in app.get("/runs", headers=sent).text


def test_nobody_waits_for_who_brings_the_index_up_to_date(store: DirectoryStore) -> None:
    run(store)
    service = service_of(store)
    found: list[object] = []

    def ask() -> None:
        with service.index() as index:
            found.append(index.one("SELECT count(*) FROM run"))

    with locked(index_path(store.uri)):
        thread = threading.Thread(target=ask)  # which has no index open yet
        thread.start()
        thread.join(10)
    assert found == [(1,)]


def test_an_index_that_takes_the_place_of_another_is_the_one_that_is_asked(
    store: DirectoryStore,
) -> None:
    run(store)
    service = service_of(store)
    with service.index() as index:
        assert index.one("SELECT count(*) FROM run") == (1,)
    index_path(store.uri).unlink()
    with pytest.raises(IndexMissingError), service.index():
        pass
    run(store, runs=2)
    bring_up_to_date(store)
    with service.index() as index:
        assert index.one("SELECT count(*) FROM run") == (2,)


def test_an_index_is_read_without_being_made(store: DirectoryStore) -> None:
    assert read_index(store) is None
    bring_up_to_date(store)
    index = read_index(store)
    assert index
    index.close()


def test_a_store_that_cannot_be_read_is_said_on_the_pages_that_were_known(
    store: DirectoryStore,
) -> None:
    run(store)
    app = App(store)
    place = Path(store.uri)
    place.rename(place.with_name("elsewhere"))
    place.write_text("no folder")
    before = app.service.version
    app.refresh()
    assert app.service.version != before
    answer = app.get("/runs")
    assert answer.status == 200
    assert "The store cannot be read." in answer.text
    assert "is not there any more" in answer.text
    assert 'href="/runs/' in answer.text
    version = app.service.version
    app.refresh()
    assert app.service.version == version, "the same fault is no news"


def test_who_asked_for_the_end_of_a_run_is_news(store: DirectoryStore) -> None:
    before = news_of(store, ["faces-1"], service_of(store).clock())
    ask_to_end(store, "faces-1", "anna", "wrong data")
    assert news_of(store, ["faces-1"], service_of(store).clock()) != before


@pytest.mark.parametrize("settings", [{"read_only": True}, {"triggers": False}])
def test_triggers_are_evaluated_unless_the_settings_say_otherwise(
    store: DirectoryStore, settings: dict[str, bool]
) -> None:
    assert Service(store, ServeSettings(store=store.uri)).triggers
    assert Service(store, ServeSettings(store=store.uri, **settings)).triggers is None
    cluster = ServeSettings(store=store.uri, kubeflow=KubeflowSettings(), read_only=True)
    assert Service(store, cluster).sync is None


def test_runs_of_a_cluster_are_imported_and_faults_are_told(
    store: DirectoryStore, kfp: KfpServer
) -> None:
    def sync(host: str) -> SyncHealth:
        settings = ServeSettings(store=store.uri, kubeflow=KubeflowSettings(host=host))
        service = Service(store, settings)
        assert service.sync
        service.sync.sync()
        health = service.health().sync
        assert health
        assert health.at
        return health

    assert sync(kfp.url).fault is None
    assert sync(f"{kfp.url}/nowhere").fault


def test_a_run_whose_process_is_gone_is_told_apart_from_others(
    store: DirectoryStore,
) -> None:
    put_started(store, started("faces-20260101-000000-aaaa", "elsewhere"))
    put_started(store, started("faces-20260101-000000-bbbb", machine_name()))
    service = service_of(store)
    assert list(service.gone) == ["faces-20260101-000000-bbbb"]
    assert service.gone["faces-20260101-000000-bbbb"].outcome == "broken"


def test_one_damaged_run_hides_no_other(store: DirectoryStore) -> None:
    run(store)
    store.put_if_absent("runs/faces-20260101-000000-aaaa/started.json", b"{}")
    put_started(store, started("faces-20260101-000000-bbbb", "elsewhere"))
    store.put_if_absent("runs/faces-20260101-000000-bbbb/run.json", b"no record")
    service = service_of(store)
    assert service.standing.fault is None
    assert App(store).get("/runs").status == 200


def started(run: str, machine: str) -> RunRecord:
    return RunRecord(
        run=run, name="faces", config_digest="c" * 64, graph_digest="d" * 64, engine="local",
        started="2026-01-01T00:00:00.000+00:00", finished=None, outcome="running", budgets={},
        steps={}, sources={}, wall_s=0.0, critical_path_s=0.0, machine=machine,
        work="/nowhere/at/all",
    )  # fmt: skip
