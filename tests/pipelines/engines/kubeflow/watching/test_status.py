"""Status: what the API tells of a run, held against what real servers told."""

from __future__ import annotations

import pytest

from pipelines.engines.kubeflow.watching import status
from tests.pipelines.engines.kubeflow.recorded import as_run, graph, polls
from tests.servers.kfp.releases import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("case", "outcome", "nodes"),
    [
        ("succeeds", "done", []),
        ("stepfails", "failed", ["ingest"]),
        ("driverfails", "failed", ["distill-conv-050-driver"]),
        ("iscancelled", "cancelled", None),
    ],
)
def test_what_a_run_is_called(
    version: str, case: str, outcome: str, nodes: list[str] | None
) -> None:
    *before, run = polls(version, case)
    assert {status.outcome_of(one) for one in before} == {"running"}
    assert status.outcome_of(run) == outcome
    if nodes is not None:  # of a run that was cancelled those were killed
        assert status.failed(run, graph(case)) == nodes


@pytest.mark.parametrize(
    ("case", "nodes", "still"),
    [
        ("rootfails", ["root-driver"], False),
        ("importerfails", ["source-data"], False),
        ("toolarge", [], True),
    ],
)
def test_what_failed_above_the_steps(case: str, nodes: list[str], *, still: bool) -> None:
    run = polls("2.17.0", case)[-1]
    assert status.outcome_of(run) == "failed"
    assert status.failed(run, graph(case)) == nodes
    assert status.stands_still(run) == still


@pytest.mark.parametrize("version", ["2.5.0", "2.17.0"])
def test_a_run_that_was_retried_is_what_it_is_at_last(version: str) -> None:
    recorded = polls(version, "isretried")
    assert status.outcome_of(recorded[-1]) == "done"
    assert status.failed(recorded[-1], graph("isretried")) == []
    if version == "2.17.0":
        failed = recorded[-2]
        assert status.outcome_of(failed) == "failed"
        assert status.failed(failed, graph("isretried")) == ["distill-conv-025"]
        assert status.failed_at(failed) == "2026-11-26T09:13:11+00:00"


def test_a_cancel_before_a_retry_is_forgotten() -> None:
    def outcome(*states: str) -> str:
        history = [{"state": state} for state in states]
        return status.outcome_of(as_run({"state": "FAILED", "state_history": history}))

    assert outcome("PENDING", "RUNNING", "CANCELING", "FAILED", "RUNNING", "FAILED") == "failed"
    assert outcome("RUNNING", "FAILED", "RUNNING", "CANCELING", "FAILED") == "cancelled"


def test_the_newest_node_of_a_name_counts() -> None:
    nodes = [
        {"display_name": "train", "state": "SUCCEEDED", "start_time": "2026-01-01T00:02:00Z"},
        {"display_name": "train", "state": "FAILED", "start_time": "2026-01-01T00:01:00Z"},
        {"display_name": "train(0)", "state": "FAILED", "start_time": "2026-01-01T00:03:00Z"},
        {"display_name": "prune", "start_time": "2026-01-01T00:03:00Z"},
        {"execution_id": "7"},
    ]
    run = as_run({"run_details": {"task_details": nodes}})
    assert status.states(run) == {"train": "SUCCEEDED"}


@pytest.mark.parametrize("version", VERSIONS)
def test_how_long_a_step_took_is_its_node_from_start_to_end(version: str) -> None:
    run = polls(version, "succeeds")[-1]
    assert (status.wall_s(run, "train") or 0) >= 10
    assert status.wall_s(run, "nobody") is None
