"""Traces of small histories, over both stores: up, down, from files, with their limits."""

import hashlib

import pytest

from components.contract.errors import UserError
from pipelines.lineage.index.opening import open_index
from pipelines.lineage.naming import DigestNamed, RunNamed, StepNamed, resolve
from pipelines.lineage.tracing.tracing import trace
from pipelines.stores.opening import open_store
from tests.data.traced_runs import RunWriter

SOURCE = "50" * 32
MODEL = b"the bytes of the model"


def small_run(store, run="faces-1", model=MODEL, source=SOURCE):
    """Write a run: ingest, train, convert, publish."""
    writer = RunWriter(store, run, sources={"data": source})
    data = writer.step(
        "ingest", {"source": source},
        {"dataset": {"d": b"images"}, "sealed": {"s": b"sealed"}, "report": {"r": b""}},
    )  # fmt: skip
    train = writer.step(
        "train", {"dataset": data["dataset"]},
        {"model": {"weights": b"w" + model}, "report": {"r": b"2"}},
    )  # fmt: skip
    lite = writer.step(
        "convert-teacher", {"model": train["model"]},
        {"lite": {"model.tflite": model}, "report": {"r": b"3"}}, "convert",
    )  # fmt: skip
    writer.step(
        "publish", {"winner": lite["lite"], "sealed": data["report"]},
        {"release": {"model.tflite": model, "manifest.json": b"{}"}},
    )  # fmt: skip
    writer.end()
    return writer


@pytest.fixture
def store(store_uri, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return open_store(store_uri("one"))


def names(found, kind="step"):
    return [node.name for node in found.nodes if node.kind == kind]


def flows(found):
    """The edges by names: of steps, and of artifacts their first digits."""
    short = {node.id: node.name if node.kind == "step" else (node.digest or "")[:4]
             for node in found.nodes}  # fmt: skip
    return {(short[edge.start], short[edge.end], edge.port) for edge in found.edges}


def test_up_from_a_release_to_the_users_files(store):
    run = small_run(store)
    with open_index(store) as index:
        found = trace(index, resolve(store, index, "faces@latest"), ["up"], depth=10)
        assert names(found) == ["publish", "ingest", "convert-teacher", "train"]
        (source,) = [node for node in found.nodes if node.name == "Source"]
        assert (source.digest, source.notes) == (SOURCE, ["data"])
        assert not found.ended
        lite = run.steps["convert-teacher"]["outputs"]["lite"][:4]
        assert {("convert-teacher", lite, "lite"), (lite, "publish", "winner")} <= flows(found)
        assert [(one.name, one.run) for one in found.releases] == [("faces", "faces-1")]
        assert [one.source for one in found.datasets] == [SOURCE]


def test_the_depth_ends_it_and_says_so(store):
    small_run(store)
    with open_index(store) as index:
        named = resolve(store, index, "faces@latest")
        found = trace(index, named, ["up"], depth=1)
        assert names(found) == ["publish"]
        assert sum(node.further.get("up", 0) for node in found.nodes) == 2
        assert found.ended == [
            "it ends 1 step away, before 2 more that are told with --depth 2"
        ]  # fmt: skip
        further = trace(index, named, ["up"], depth=2)
        assert len(names(further)) == 3


def test_the_number_of_nodes_ends_it_and_says_so(store):
    small_run(store)
    with open_index(store) as index:
        found = trace(index, resolve(store, index, "faces@latest"), ["up"], 10, nodes_max=4)
        assert len(found.nodes) == 4
        assert "after 4 artifacts and steps" in found.ended[-1]
        whole = trace(index, resolve(store, index, "faces@latest"), ["up"], 10)
        assert len(whole.nodes) > 4
        assert not whole.ended


def test_a_file_on_disk_leads_to_its_run_release_and_images(store, tmp_path):
    run = small_run(store)
    (tmp_path / "shipped.tflite").write_bytes(MODEL)
    with open_index(store) as index:
        named = resolve(store, index, str(tmp_path / "shipped.tflite"))
        found = trace(index, named, depth=10)
        (file,) = [node for node in found.nodes if node.kind == "file"]
        assert file.name == "model.tflite"
        lite = f"artifact {run.steps['convert-teacher']['outputs']['lite']}"
        assert [edge.end for edge in found.edges if edge.start == file.id] == [lite]
        assert names(found) == ["convert-teacher", "train", "ingest", "publish"]
        assert [one.run for one in found.releases] == ["faces-1"]
        assert [one.source for one in found.datasets] == [SOURCE]


def test_down_from_a_source_to_the_releases(store):
    small_run(store)
    with open_index(store) as index:
        found = trace(index, DigestNamed(SOURCE), ["down"], depth=10)
        assert names(found) == ["ingest", "train", "publish", "convert-teacher"]
        assert [one.run for one in found.releases] == ["faces-1"]


def test_a_step_has_both_sides(store):
    small_run(store)
    with open_index(store) as index:
        found = trace(index, StepNamed("faces-1", "train"), depth=1)
        kinds = [node.name for node in found.nodes if node.kind == "artifact"]
        assert kinds == ["Dataset", "Model", "Report"]
        assert found.origins == [found.nodes[0].id]
        assert found.nodes[0].name == "train"


def test_of_runs_that_gave_the_same_bytes_each_is_traced_by_its_own(store):
    """Two runs of different data made the same model: early cut-off, as the images did not change."""
    small_run(store, "faces-1", source="51" * 32)
    small_run(store, "faces-2", source="52" * 32)
    with open_index(store) as index:
        for run, source in (("faces-1", "51" * 32), ("faces-2", "52" * 32)):
            found = trace(index, RunNamed(run), ["up"], depth=10)
            assert [one.digest for one in found.nodes if one.name == "Source"] == [source]
            assert {node.run for node in found.nodes if node.kind == "step"} == {run}
        both = trace(index, DigestNamed(hashlib.sha256(MODEL).hexdigest()), ["up"], depth=10)
        assert {one.digest for one in both.nodes if one.name == "Source"} == {
            "51" * 32, "52" * 32,
        }, "who asks with the file alone hears of both"  # fmt: skip


def test_equal_executions_are_one_and_counted(store):
    small_run(store, "faces-1")
    small_run(store, "faces-2")
    with open_index(store) as index:
        found = trace(index, DigestNamed(hashlib.sha256(MODEL).hexdigest()), ["up"], depth=10)
        steps = [node for node in found.nodes if node.kind == "step"]
        assert {node.run for node in steps} == {"faces-1"}
        assert steps[0].notes == ["the same bytes were made 1 more time"]


def test_a_step_that_gives_what_it_got_is_no_endless_way(store):
    writer = RunWriter(store, "faces-1", sources={"data": SOURCE})
    data = writer.step("ingest", {"source": SOURCE}, {"dataset": {"d": b""}})
    train = writer.step("train", {"dataset": data["dataset"]}, {"model": {"w": b"1"}})
    writer.step("prune", {"model": train["model"]}, {"pruned": {"w": b"1"}})
    writer.end()
    with open_index(store) as index:
        found = trace(index, DigestNamed(train["model"]), depth=50)
        assert sorted(names(found)) == ["ingest", "prune", "train"]


def test_what_nobody_knows_is_said_and_the_other_store_knows_it(store, store_uri, tmp_path):
    other = open_store(store_uri("other"))
    small_run(other)
    small_run(store, model=b"another model")
    (tmp_path / "model.tflite").write_bytes(MODEL)
    text = str(tmp_path / "model.tflite")
    with (
        open_index(store) as index,
        pytest.raises(UserError, match="no record of this store") as caught,
    ):
        trace(index, resolve(store, index, text))
    assert "--store PLACE" in caught.value.fix
    with open_index(other) as index:
        assert trace(index, resolve(other, index, text)).releases
