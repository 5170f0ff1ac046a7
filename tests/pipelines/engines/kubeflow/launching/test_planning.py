"""Planning: nothing runs twice, and what was deleted is made again."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.engines.kubeflow import engine
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from pipelines.engines.kubeflow.results import earlier
from pipelines.engines.kubeflow.results.known_results import KnownResult
from pipelines.runs.graph import Graph, Ref, SourceRef, Step
from pipelines.runs.ledger import times_opened
from pipelines.runs.records import read_run
from pipelines.runs.step_records import read_record
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.launches import Launching, cached, changed
from tests.servers.kfp import cluster as kfp_cluster

_IMPORTS = "result-"


def test_what_is_all_there_needs_no_run_in_the_cluster(
    launching: Launching, config_path: Path, tmp_path: Path
) -> None:
    first = launching(config_path)
    began = time.monotonic()
    second = launching(config_path)
    assert time.monotonic() - began < 10
    assert (first.outcome, second.outcome) == ("done", "done")
    assert len(launching.cluster.kfp.backend.runs) == 1
    assert cached(second) == set(second.steps)
    store = open_store(str(tmp_path / "store"))
    record = read_run(store, second.run)
    assert record.outcome == "done"
    assert {step["record"].split("/")[1] for step in record.steps.values()} == {first.run}
    sealed = record.steps["ingest"]["outputs"]["sealed"]
    assert times_opened(store, sealed) == 1, "nobody looked at the sealed images again"
    assert (second.exported or tmp_path / "none").joinpath("model.tflite").read_bytes()


def test_what_lacks_runs_alone_fed_by_the_original_addresses(
    launching: Launching, config_path: Path
) -> None:
    first = launching(config_path)
    budgets = yaml.safe_load(config_path.read_text())["budgets"]
    second = launching(changed(config_path, budgets=budgets | {"size_mb": 0.2}))
    assert second.outcome == "done"
    steps, imports = launching.tasks()
    assert "select" in steps
    assert steps <= {"select", "evaluate-sealed", "publish"}
    assert set(second.steps) - cached(second) == steps
    spec = launching.spec()
    for name, task in spec["root"]["dag"]["tasks"].items():
        if name.startswith(_IMPORTS):
            executor = spec["deploymentSpec"]["executors"][
                spec["components"][task["componentRef"]["name"]]["executorLabel"]
            ]["importer"]
            assert not executor.get("reimport", False)
            place = executor["artifactUri"]["constant"]
            assert f"/{first_run(launching)}/" in place, "where the first run left it"
            assert kfp_cluster.names(launching.cluster.gcs, f"{place}/"), "it is there"
    assert imports
    assert first.outcome == "done"


def first_run(launching: Launching) -> str:
    return next(iter(launching.cluster.kfp.backend.runs))


def test_what_was_deleted_is_made_again_and_nothing_else(
    launching: Launching, config_path: Path
) -> None:
    launching(config_path)
    cluster = launching.cluster
    place = cluster.address(first_run(launching), "train", "model")
    kfp_cluster.remove(cluster.gcs, f"{place}/weights.safetensors")
    second = launching(config_path)
    assert second.outcome == "done"
    steps, imports = launching.tasks()
    assert (steps, imports) == ({"train"}, {"ingest"})
    (task,) = (
        task for name, task in launching.spec()["root"]["dag"]["tasks"].items() if name == "train"
    )
    assert not task["cachingOptions"].get("enableCache"), "its cache still knows what was deleted"
    assert set(second.steps) - cached(second) == {"train"}
    third = launching(config_path)
    assert len(cluster.kfp.backend.runs) == 2
    assert cached(third) == set(third.steps)


def test_what_the_store_lost_is_fetched_again(
    launching: Launching, config_path: Path, tmp_path: Path
) -> None:
    from pipelines.runs.cache import Cache
    from pipelines.stores.layout import blob_key
    from tests.pipelines.stores.damage import remove

    first = launching(config_path)
    store = open_store(str(tmp_path / "store"))
    tree = read_run(store, first.run).steps["evaluate-student"]["outputs"]["report"]
    lost = Cache(store, tmp_path / "scratch").tree(tree).entries[0].sha256
    remove(store, blob_key(lost))
    assert launching(config_path).outcome == "done"
    assert "evaluate-student" in launching.tasks()[0]
    assert store.stat(blob_key(lost)) is not None


def test_another_image_is_other_code_unless_it_is_known_to_be_the_same(
    launching: Launching, config_path: Path
) -> None:
    launching(config_path)
    settings = yaml.safe_load(config_path.read_text())["kubeflow"]
    images = settings["images"] | {"light": f"registry.example/light@sha256:{'f' * 64}"}
    launching(changed(config_path, kubeflow=settings | {"images": images}))
    assert launching.tasks()[0] == {"select", "evaluate-sealed", "publish"}


def test_measurements_of_another_kind_of_node_do_not_count(
    launching: Launching, config_path: Path
) -> None:
    launching(config_path)
    settings = yaml.safe_load(config_path.read_text())["kubeflow"]
    pool = {"resources": {"benchmark": {"node_selector": {"pool": "other"}}}}
    path = changed(config_path, kubeflow=settings | pool)
    launching(path)
    steps, _ = launching.tasks()
    assert {name for name in steps if name.startswith("benchmark")} == {
        step.name for step in launching.cluster.graph.steps if step.component == "benchmark"
    }
    assert "train" not in steps
    launching(path)
    assert len(launching.cluster.kfp.backend.runs) == 2, "those of this pool are there now"


def test_cache_false_makes_everything_anew(launching: Launching, config_path: Path) -> None:
    launching(config_path)
    settings = yaml.safe_load(config_path.read_text())["kubeflow"]
    again = launching(changed(config_path, kubeflow=settings | {"cache": False}))
    assert launching.tasks() == (set(again.steps), set())
    assert cached(again) == set()


def test_results_of_this_machine_are_uploaded_once_and_read_by_pods(
    launching: Launching, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(launching.cluster.local.store, tmp_path / "store")
    # Images that were pushed from here hold the code at hand, which made the results.
    local = read_run(open_store(str(tmp_path / "store")), launching.cluster.local.run)
    records = [
        read_record(open_store(str(tmp_path / "store")), step["record"])
        for step in local.steps.values()
    ]
    codes = {one.component: one.ingredients["code"] for one in records if one}
    monkeypatch.setattr(earlier, "code_digest", codes.__getitem__)
    settings = yaml.safe_load(config_path.read_text())["kubeflow"]
    monkeypatch.setattr(engine, "references", lambda *_: settings["images"])
    path = changed(config_path, kubeflow=settings | {"images": "registry.example/slimline"})
    first = launching(path)
    assert first.outcome == "done"
    steps, imports = launching.tasks()
    assert "train" not in steps
    assert {name for name in steps if name.startswith("benchmark")}, "this machine is no node"
    places = kfp_cluster.names(launching.cluster.gcs, f"{kfp_cluster.ROOT}/tiny/uploaded/")
    assert {place.split("/")[6] for place in places} == imports, "only what is read"
    uploads = launching.cluster.gcs.requests["upload"]
    launching(path)
    assert launching.cluster.gcs.requests["upload"] == uploads


# what follows from what is known ------------------------------------------------------------------


def chain() -> Graph:
    data = Step("ingest", "ingest", {"source": SourceRef("data"), "pairs": None}, {}, 1, 1)
    train = Step("train", "train", {"dataset": Ref("ingest", "dataset"), "weights": None}, {}, 1, 1)
    convert = Step("convert", "convert", {"model": Ref("train", "model")}, {}, 1, 1)
    return Graph("chain", (data, train, convert), {"data": "gs://bucket/data"})


def known() -> dict[str, KnownResult]:
    def one(inputs: dict[str, Any], **outputs: str) -> KnownResult:
        return KnownResult("key", inputs, outputs, "runs/r/steps/s.json", 1.0, "p/r/s/salt")

    return {
        "ingest": one({"source": "s", "pairs": None}, dataset="d", sealed="e", report="f"),
        "train": one({"dataset": "d", "weights": None}, model="m"),
        "convert": one({"model": "m"}, lite="l"),
    }


def test_what_reads_something_else_now_runs_with_all_that_follows() -> None:
    graph, all_known = chain(), known()
    assert ReusePlan(all_known).missing(graph, {"data": "s"}) == ()
    assert ReusePlan(all_known).missing(graph, {"data": "other"}) == ("ingest", "train", "convert")
    other = all_known | {"train": replace(all_known["train"], outputs={"model": "n"})}
    assert ReusePlan(other).missing(graph, {"data": "s"}) == ("convert",)


def test_until_what_was_lost_is_made_again_what_was_made_of_it_counts() -> None:
    graph, all_known = chain(), known()
    lost = {"train": all_known.pop("train")}
    plan = ReusePlan(all_known, lost)
    assert plan.missing(graph, {"data": "s"}) == ("train",)
    assert plan.settled(graph, {"data": "s"}) == ("ingest",)
    same = plan.with_results(lost)
    assert same.missing(graph, {"data": "s"}) == ()
    assert set(same.settled(graph, {"data": "s"})) == {"ingest", "train", "convert"}
    other = plan.with_results({"train": replace(lost["train"], outputs={"model": "n"})})
    assert other.missing(graph, {"data": "s"}) == ("convert",)


def test_a_plan_can_be_written_down() -> None:
    one = known()["train"]
    assert KnownResult.from_json(json.loads(json.dumps(one.to_json()))) == one
