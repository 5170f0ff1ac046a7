"""The graph refuses what cannot be run, and orders the rest."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.contract.digests import canonical_json
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.runs.graph import Flow, Graph, Ref, SourceRef, Step


def step(name: str, component: str = "convert", **inputs: Flow) -> Step:
    return Step(name, component, inputs, {"threads": 1}, memory_gb=1, time_limit_s=1)


def graph(*steps: Step, sources: Mapping[str, str] | None = None) -> Graph:
    return Graph("test", steps, sources or {})


def test_producers_come_first_whatever_the_order_of_writing() -> None:
    built = graph(
        step("c", "evaluate", model=Ref("b", "lite")),
        step("b", model=Ref("a", "model")),
        step("a", "train", dataset=SourceRef("data")),
    )
    assert [item.name for item in built.ordered] == ["a", "b", "c"]
    assert list(built.edges()) == [("b", "c"), ("a", "b")]


def test_a_cycle_is_named() -> None:
    built = graph(step("a", model=Ref("b", "lite")), step("b", model=Ref("a", "lite")))
    with pytest.raises(ValueError, match=r"cycle (a -> b -> a|b -> a -> b)"):
        _ = built.ordered


def test_a_step_that_needs_itself() -> None:
    with pytest.raises(ValueError, match="cycle"):
        _ = graph(step("a", model=Ref("a", "lite"))).ordered


def test_a_reference_to_no_step() -> None:
    with pytest.raises(ValueError, match="a needs b, which is no step"):
        _ = graph(step("a", model=Ref("b", "lite"))).ordered


def test_a_reference_to_no_output() -> None:
    with pytest.raises(ValueError, match=r"b needs a\.lit, which is no output"):
        _ = graph(step("a"), step("b", model=Ref("a", "lit"))).ordered


def test_a_reference_inside_a_list_counts() -> None:
    built = graph(step("a", "select", models=(Ref("b", "lite"), Ref("c", "lite"))), step("b"))
    with pytest.raises(ValueError, match="a needs c, which is no step"):
        _ = built.ordered


def test_a_name_used_twice() -> None:
    with pytest.raises(ValueError, match="used twice"):
        _ = graph(step("a"), step("a")).ordered


def test_the_digest_is_of_steps_and_flow_not_of_order_or_sources() -> None:
    one, two = step("a", model=SourceRef("data")), step("b", model=Ref("a", "lite"))
    digest = graph(one, two, sources={"data": "here"}).digest
    assert graph(two, one, sources={"data": "there"}).digest == digest
    assert graph(one, step("b", model=Ref("a", "report"))).digest != digest
    assert graph(one, step("b", model=(Ref("a", "lite"),))).digest != digest


def test_an_edge_is_listed_once() -> None:
    double = step("b", "evaluate", model=Ref("a", "lite"), thresholds=Ref("a", "report"))
    assert list(graph(step("a"), double).edges()) == [("a", "b")]


def test_a_graph_can_be_read_back() -> None:
    whole = graph_of(load(Path(__file__).parents[2] / "data" / "tiny.yaml"))
    again = Graph.from_json(json.loads(canonical_json(whole.to_json())))
    assert again.digest == whole.digest
    assert again.sources == whole.sources
    assert {name: step.inputs for name, step in again.by_name.items()} == {
        name: step.inputs for name, step in whole.by_name.items()
    }
