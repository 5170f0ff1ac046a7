"""Estimates: what steps took before, and how long all of them take together."""

from dataclasses import replace

import pytest

from components.contract.interface import interface_of
from pipelines.runs.graph import HOST, Graph, Ref, Step
from pipelines.runs.live.estimates import durations, left_s, makespan
from pipelines.runs.records import put_finished
from pipelines.stores.opening import open_store
from tests.pipelines.runs.kept_run import DECISION, Kept


def step(name, component, *after, threads=1, alone=False):
    outputs = {name: interface_of(name.partition("-")[0]).outputs[0].name for name in after}
    inputs = {name: Ref(name, output) for name, output in outputs.items()}
    return Step(
        name, component, inputs, {"threads": threads}, 1.0, 1.0, occupies=HOST if alone else None
    )


GRAPH = Graph(
    "digits",
    (
        step("ingest", "ingest"),
        step("train", "train", "ingest", threads=2),
        step("distill-a", "distill", "train"),
        step("distill-b", "distill", "train"),
        step("benchmark-a", "benchmark", "distill-a", alone=True),
        step("benchmark-b", "benchmark", "distill-b", alone=True),
    ),
    {},
)
LEFT = {
    "ingest": 1,
    "train": 10,
    "distill-a": 4,
    "distill-b": 6,
    "benchmark-a": 3,
    "benchmark-b": 3,
}


@pytest.mark.parametrize(
    ("left", "cores", "seconds"),
    [
        (LEFT, 2, 1 + 10 + 6 + 3 + 3),
        (LEFT, 1, 1 + 10 + 4 + 6 + 3 + 3),
        ({"distill-a": 4, "benchmark-a": 3}, 8, 7),
        ({"distill-a": 4}, 8, 4),
        ({}, 8, 0),
    ],
)
def test_steps_run_side_by_side_as_cores_allow_and_alone_to_measure(left, cores, seconds):
    assert makespan(GRAPH, left, (), cores) == seconds


def run(number, name="digits", **took):
    return {
        "run": f"{name}-2026010{number}-030405-abcd",
        "name": name,
        "steps": {
            step: {"state": "done", "component": step.partition("-")[0], "wall_s": wall_s,
                   "waited_s": waited_s}
            for step, (wall_s, waited_s) in took.items()
        },
    }  # fmt: skip


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path, DECISION)

    def put(*runs):
        for one in runs:
            put_finished(kept.store, replace(kept.record(), **one))
        return kept.store

    return put


def test_nothing_is_known_of_what_never_ran(tmp_path):
    assert durations(open_store(str(tmp_path / "store")), GRAPH) == {}


def test_the_same_step_counts_before_others_of_its_component(kept):
    store = kept(
        run(1, train=(12.0, 2.0), ingest=(1.0, 0.0)),
        run(2, train=(20.0, 0.0), ingest=(1.0, 0.0)),
        run(3, train=(30.0, 0.0)),
        run(4, "faces", **{"train": (900.0, 0.0), "distill-x": (7.0, 0.0)}),
    )
    found = durations(store, GRAPH)
    assert found == {"ingest": 1.0, "train": 20.0, "distill-a": 7.0, "distill-b": 7.0}


def test_a_damaged_record_tells_nothing_and_hinders_nobody(kept):
    store = kept(run(1, train=(12.0, 2.0)))
    store.put_if_absent("runs/digits-20260109-030405-abcd/run.json", b"{")
    assert durations(store, GRAPH) == {"train": 10.0}


def test_what_is_left_is_told_by_the_steps_themselves_before_earlier_runs():
    running = {"train": 4.0}
    assert left_s(GRAPH, {"ingest"}, running, {}, LEFT, cores=2) == 6 + 6 + 3 + 3
    assert left_s(GRAPH, {"ingest"}, running, {"train": 1.0}, LEFT, cores=2) == 1 + 6 + 3 + 3
    assert left_s(GRAPH, {"ingest"}, running, {}, {"train": 10.0}, cores=2) is None
    assert left_s(GRAPH, set(LEFT), {}, {}, {}, cores=2) == 0
