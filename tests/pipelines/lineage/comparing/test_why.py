"""Why two runs differ, told of whole runs over both stores: what is said first, and what follows."""

import json
from dataclasses import replace

import pytest

from components.artifacts.data_use import LEFT_OUT
from components.contract.digests import canonical_json
from components.statistics.bootstrap import Interval
from pipelines.lineage.comparing.samples import ImageChange
from pipelines.lineage.comparing.why import why_changed
from pipelines.lineage.index.opening import open_index
from pipelines.stores.opening import open_store
from tests.data.traced_runs import MACHINE, RunWriter
from tests.pipelines.runs.kept_run import DECISION, SMALL

SOURCE = "50" * 32


@pytest.fixture
def store(store_uri, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return open_store(store_uri("one"))


def line(name, label, split="train", status="used", reason=None):
    sha = name.encode().hex().ljust(64, "0")
    return {
        "name": name, "sha256": sha, "size_bytes": 1, "label": label, "pixels": sha,
        "status": status, "split": split, "index": 0, "reason": reason, "duplicate_of": None,
    }  # fmt: skip


IMAGES = [line("a/1", "a"), line("a/2", "a", "selection"), line("b/1", "b"), line("b/2", "b")]


def put_run(store, run, images=IMAGES, source=SOURCE, decision=DECISION, **train):
    writer = RunWriter(store, run, sources={"data": source})
    manifest = b"".join(canonical_json(one) + b"\n" for one in images)
    left = [
        canonical_json({"name": one["name"], "kind": one["reason"], "reason": one["reason"]})
        for one in images
        if one["status"] == "quarantined"
    ]
    data = writer.step(
        "ingest", {"source": source},
        {"dataset": {"manifest.jsonl": manifest},
         "report": {LEFT_OUT: b"\n".join(left), "ingest.json": b"{}"}},
    )  # fmt: skip
    model = {"w": repr((sorted(train.items()), images)).encode()}
    train = writer.step("train", {"dataset": data["dataset"]}, {"model": model}, **train)
    lite = [
        writer.step(f"convert-{one.name}", {"model": train["model"]},
                    {"lite": {"model.tflite": one.name.encode()}}, "convert")["lite"]
        for one in decision.variants
    ]  # fmt: skip
    writer.step(
        "select", {"models": lite},
        {"decision": {"decision.json": json.dumps(decision.to_json()).encode()}},
    )  # fmt: skip
    writer.end()


def asked(store, before="faces-1", now="faces-2"):
    with open_index(store) as index:
        return why_changed(store, index, before, now)


def test_nothing_differs(store):
    put_run(store, "faces-1")
    put_run(store, "faces-2")
    answer = asked(store)
    assert answer.summary == "nothing differs that the records tell of"
    assert (answer.causes, answer.sources) == ([], [])
    assert answer.samples
    assert not answer.samples.any
    assert answer.metrics
    assert not answer.metrics.figures


def test_only_the_data_differs(store):
    put_run(store, "faces-1")
    now = [
        line("a/1", "b"), line("a/2", "a"), line("b/1", "b", None, "quarantined", "truncated"),
        line("c/1", "c"),
    ]  # fmt: skip
    better = replace(SMALL, metrics={"auc": Interval(0.95, 0.94, 0.96)})
    decided = replace(DECISION, variants=(DECISION.variants[0], better, DECISION.variants[2]))
    put_run(store, "faces-2", now, "51" * 32, decided)
    answer = asked(store)
    assert answer.summary == "only the data differs"
    assert [item.what for item in answer.sources] == ["data"]
    samples = answer.samples
    assert samples
    assert samples.added == ["c/1"]
    assert samples.removed == ["b/2"]
    assert samples.relabelled == [ImageChange("a/1", "a", "b")]
    assert samples.moved == [ImageChange("a/2", "selection", "train")]
    assert samples.quarantined == [ImageChange("b/1", "train", "truncated")]
    assert answer.metrics
    (figure,) = answer.metrics.figures
    assert (figure.variant, figure.figure, figure.images) == ("student-int8", "auc", "selection")
    assert figure.before == Interval(0.991, 0.985, 0.995)
    assert figure.apart
    assert answer.metrics.winner == ("student-int8", "student-int8")


def test_another_model_of_the_users_is_not_their_data(store):
    for run, model in (("faces-1", "60" * 32), ("faces-2", "61" * 32)):
        writer = RunWriter(store, run, sources={"data": SOURCE, "model": model})
        made = {"model": {"w": model.encode()}}
        writer.step("teacher", {"source": model}, made, "import_model")
        writer.end()
    answer = asked(store)
    assert answer.causes == ["model"]
    assert answer.summary == "these differ: model"


def test_what_else_differs_is_said_first(store):
    put_run(store, "faces-1", parameters={"epochs": 3})
    put_run(store, "faces-2", source="51" * 32, parameters={"epochs": 5},
            machine={**MACHINE, "cpu": "another"})  # fmt: skip
    answer = asked(store)
    assert answer.summary == "these differ: data, parameters, machine"
    (train,) = [one for one in answer.steps.changed if one.own]
    assert train.step == "train"


def test_other_files_that_show_the_same_images(store):
    put_run(store, "faces-1")
    put_run(store, "faces-2", source="51" * 32)
    assert asked(store).summary == "only the data differs (and shows the same images)"


def test_a_run_that_chose_nothing_is_compared_as_far_as_it_goes(store):
    put_run(store, "faces-1")
    writer = RunWriter(store, "faces-2", sources={"data": SOURCE})
    writer.step("ingest", {"source": SOURCE}, {"dataset": {"manifest.jsonl": b""}})
    writer.end(outcome="failed")
    answer = asked(store)
    assert answer.metrics is None
    assert "nothing was chosen in faces-2: no numbers to compare" in answer.lacking


def test_manifests_of_earlier_versions_say_what_they_lack(store):
    keys = ("name", "sha256", "status", "split", "index", "reason", "duplicate_of")
    put_run(store, "faces-1", [{key: one[key] for key in keys} for one in IMAGES])
    put_run(store, "faces-2")
    answer = asked(store)
    assert answer.samples
    assert not answer.samples.any
    assert any("faces-1 is of an earlier version" in sentence for sentence in answer.lacking)
    assert not any("faces-2 is of an earlier version" in one for one in answer.lacking)


def test_a_damaged_manifest_is_said_and_hides_nothing_else(store):
    put_run(store, "faces-1")
    bad = RunWriter(store, "faces-2", sources={"data": SOURCE})
    bad.step("ingest", {"source": SOURCE}, {"dataset": {"manifest.jsonl": b"{"}})
    bad.end()
    answer = asked(store)
    assert answer.samples is None
    assert any("the manifest of run faces-2, it is damaged" in one for one in answer.lacking)
    assert answer.steps.changed
