"""Graphs in the store, and the place of a step."""

from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_graphs import counterparts, places, put_graph, read_graph
from pipelines.stores.layout import graph_key
from pipelines.stores.opening import open_store

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"
DISTILL = {"distill": {"backbone": "conv", "alpha": 0.25, "epochs": 1}}


def graph(folder: Path, **variants: object) -> Graph:
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), "variants": variants}))
    return graph_of(load(path))


def test_a_step_lies_on_the_paths_of_all_variants_that_share_it(tmp_path):
    half, most = ({"prune": {"sparsity": share, "epochs": 1}} for share in (0.5, 0.8))
    found = places(graph(tmp_path, plain=[DISTILL], twice=[DISTILL, half, most]))
    shared = next(name for name in found if name.startswith("distill"))
    assert found[shared] == {("plain", "distill", 0), ("twice", "distill", 0)}
    assert found["prune-weights-50"] == {("twice", "prune", 0)}
    assert found["prune-weights-80"] == {("twice", "prune", 1)}
    assert ("teacher", "train", 0) in found["train"]
    assert not found.keys() & {"ingest", "convert-plain", "select"}


def test_a_graph_comes_back_and_a_damaged_one_is_said(tmp_path):
    kept, store = graph(tmp_path, plain=[DISTILL]), open_store(str(tmp_path / "st"))
    assert read_graph(store, kept.digest, "tiny") is None
    put_graph(store, kept)
    back = read_graph(store, kept.digest, "tiny")
    assert back
    assert back.digest == kept.digest
    lies = tmp_path / "st" / graph_key(kept.digest)
    lies.chmod(0o600)
    lies.write_text(lies.read_text().replace("0.25", "0.35"))
    with pytest.raises(UserError, match=r"graphs/.* is damaged"):
        read_graph(store, kept.digest, "tiny")


def test_steps_of_other_names_stand_at_the_same_places(tmp_path):
    half, most = ({"prune": {"sparsity": share, "epochs": 1}} for share in (0.5, 0.8))
    before = graph(tmp_path, plain=[DISTILL], pruned=[DISTILL, half])
    now = graph(tmp_path, plain=[DISTILL], pruned=[DISTILL, most], other=[DISTILL, half, most])
    pairs = counterparts(before, now)
    assert pairs["prune-weights-50"] == "prune-weights-50"
    assert pairs["convert-pruned"] == "convert-pruned"
    assert "convert-other" not in pairs
    assert len(set(pairs.values())) == len(pairs), "no step stands in for two"
    without = graph(tmp_path, plain=[DISTILL], pruned=[DISTILL, most])
    assert counterparts(before, without)["prune-weights-80"] == "prune-weights-50"
    assert counterparts(before, before) == {name: name for name in before.by_name}
