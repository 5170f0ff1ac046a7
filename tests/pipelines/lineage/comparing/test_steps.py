"""What differs in the steps of two runs: each ingredient alone, over both stores."""

from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.lineage.comparing.differences import Difference
from pipelines.lineage.comparing.sides import side_of
from pipelines.lineage.comparing.steps import compare_steps
from pipelines.lineage.index import facts
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_graphs import put_graph
from pipelines.stores.layout import code_key
from pipelines.stores.opening import open_store
from tests.data.traced_runs import CODE, ENVIRONMENT, MACHINE, VERSIONS, RunWriter

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"
SOURCE = "50" * 32


@pytest.fixture
def store(store_uri):
    return open_store(store_uri("one"))


def put_run(store, run, *, source=SOURCE, **train):
    """Write ingest and train; what is given is of train."""
    writer = RunWriter(store, run, sources={"data": source})
    outputs = {"dataset": {"d": source.encode()}}
    data = writer.step("ingest", {"source": source}, outputs)
    train.setdefault("parameters", {"epochs": 3, "threads": 1})
    model = {"w": repr((sorted(train.items()), source)).encode()}
    writer.step("train", {"dataset": data["dataset"]}, {"model": model}, **train)
    writer.end()


def compared(store, before="faces-1", now="faces-2"):
    return compare_steps(store, side_of(store, None, before), side_of(store, None, now))


def test_nothing(store):
    put_run(store, "faces-1")
    put_run(store, "faces-2")
    changes = compared(store)
    assert (changes.changed, changes.added, changes.removed, changes.same) == ([], [], [], 2)


def test_a_cached_step_is_the_same(store):
    put_run(store, "faces-1")
    one, other = RunWriter(store, "faces-0"), RunWriter(store, "faces-2")
    for step in ("ingest", "train"):
        one.steps[step] = side_of(store, None, "faces-1").record.steps[step]
        other.cached(step, one)
    other.end()
    assert compared(store).same == 2


CASES = {
    "parameters": (
        {"parameters": {"epochs": 5, "threads": 1}}, [Difference("epochs", 3, 5)],
    ),
    "threads": ({"parameters": {"epochs": 3, "threads": 2}}, [Difference("threads", 1, 2)]),
    "code": (
        {"code": {**CODE, "train.py": "9" * 64, "ml/new.py": "8" * 64}},
        [Difference("ml/new.py", None, "8" * 8), Difference("train.py", "1" * 8, "9" * 8)],
    ),
    "packages": (
        {"environment": {**ENVIRONMENT, "packages": {"numpy": "2.5.0"}}},
        [Difference("numpy", "2.4.6", "2.5.0")],
    ),
    "machine": (
        {"machine": {**MACHINE, "cpu": "another"}}, [Difference("cpu", "a processor", "another")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_one_ingredient_alone(store, kind):
    given, expected = CASES[kind]
    put_run(store, "faces-1")
    put_run(store, "faces-2", **given)
    changes = compared(store)
    (change,) = changes.changed
    assert change.step == "train"
    found = {
        name: getattr(change, name)
        for name in ("parameters", "threads", "code", "packages", "machine")
        if getattr(change, name)
    }
    assert found == {kind: expected}
    assert change.own
    assert all("the graph" in sentence for sentence in changes.lacking)


def test_other_data_is_a_source_of_ingest_and_flows_into_train(store):
    put_run(store, "faces-1")
    put_run(store, "faces-2", source="51" * 32)
    ingest, train = compared(store).changed
    assert (ingest.sources, ingest.inputs, ingest.own) == (["source"], [], False)
    assert (train.sources, train.inputs, train.own) == ([], ["dataset"], False)


def test_measured_again_with_another_result_is_said(store):
    for run, bytes_ in (("faces-1", b"1"), ("faces-2", b"2")):
        writer = RunWriter(store, run)
        writer.step("ingest", {"source": SOURCE}, {"dataset": {"d": bytes_}})
        writer.end()
    (change,) = compared(store).changed
    assert change.unexplained
    assert not change.own


def test_lists_that_the_store_lacks_are_said(store):
    """Runs of earlier versions kept no list of their code; packages stand in every record."""
    put_run(store, "faces-1", code="a" * 64, environment="b" * 64)
    newer = {**VERSIONS, "numpy": "3.0.0"}
    put_run(store, "faces-2", code="c" * 64, environment="d" * 64, versions=newer)
    changes = compared(store)
    (change,) = changes.changed
    assert change.code == [Difference("files that no list names", "a" * 8, "c" * 8)]
    assert change.packages == [Difference("numpy", "2.4.6", "3.0.0")]
    assert "2 lists of files of code are not in the store: runs of an earlier" in changes.lacking[0]
    assert "2 lists of packages are not in the store" in changes.lacking[1]


def test_a_list_that_was_edited_is_not_believed(store):
    put_run(store, "faces-1")
    put_run(store, "faces-2", code={**CODE, "train.py": "9" * 64})
    code = side_of(store, None, "faces-2").executions["train"].ingredients["code"]
    stat = store.stat(code_key(code))
    assert store.replace_if_match(code_key(code), b'{"train.py":"0"}', stat.version)
    changes = compared(store)
    assert changes.changed[0].code == [
        Difference("files that no list names", changes.changed[0].code[0].before, code[:8])
    ]
    assert any("damaged" in sentence for sentence in changes.lacking)


def graph(folder, sparsity) -> Graph:
    prune = {"prune": {"sparsity": sparsity, "epochs": 1}}
    variants = {"pruned": [{"distill": {"backbone": "conv", "alpha": 0.25, "epochs": 1}}, prune]}
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), "variants": variants}))
    return graph_of(load(path))


def put_graph_run(store, run, graph):
    """Write every step of a graph, as if each had been executed."""
    put_graph(store, graph)
    writer = RunWriter(store, run, graph=graph.digest)
    for step in graph.ordered:
        made = {port.name: {"f": f"{step.name}".encode()} for port in step.interface.outputs}
        writer.step(step.name, {}, made, step.component, parameters=step.parameters)
    writer.end()


def test_a_step_that_is_called_otherwise_is_matched_by_its_place(store, tmp_path):
    put_graph_run(store, "faces-1", graph(tmp_path, 0.5))
    put_graph_run(store, "faces-2", graph(tmp_path, 0.8))
    changes = compared(store)
    (change,) = changes.changed
    assert (change.before, change.step) == ("prune-weights-50", "prune-weights-80")
    assert change.parameters == [Difference("sparsity", 0.5, 0.8)]
    assert not changes.added
    assert not changes.removed


def test_steps_that_only_one_run_has(store, tmp_path):
    put_graph_run(store, "faces-1", graph(tmp_path, 0.5))
    put_run(store, "faces-2")
    changes = compared(store)
    assert changes.added == []
    assert {"select", "publish", "prune-weights-50"} <= set(changes.removed)
    assert any("faces-2 was not kept" in sentence for sentence in changes.lacking)


def test_what_is_no_run_is_refused_and_the_run_is_not(store, tmp_path):
    put_run(store, "faces-1")
    (tmp_path / "model.tflite").write_bytes(b"")
    with pytest.raises(UserError, match="is a file") as caught:
        side_of(store, None, str(tmp_path / "model.tflite"))
    assert "slimline lineage" in caught.value.fix
    with pytest.raises(UserError, match="no run and no release"):
        side_of(store, None, "faces-1/train")
    assert side_of(store, None, "faces-1").executions


def test_steps_of_a_component_that_has_gone_are_compared(store, monkeypatch):
    put_run(store, "faces-1")
    put_run(store, "faces-2", source="51" * 32)

    def gone(name):
        raise UserError(f"there is no component {name}", "name another")

    monkeypatch.setattr("components.contract.interface.interface_of", gone)
    monkeypatch.setattr(facts, "COMPONENTS", ())
    facts.kinds_of.cache_clear()
    changes = compared(store)
    facts.kinds_of.cache_clear()
    assert [one.inputs for one in changes.changed] == [["source"], ["dataset"]]
