"""Pods: what they are called, held against the Workflows of real servers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipelines.engines.kubeflow.watching.pods import hashed, pods_of
from tests.pipelines.engines.kubeflow.recorded import as_run, polls
from tests.servers.kfp import recordings
from tests.servers.kfp.releases import VERSIONS


def nodes_of(version: str) -> dict[str, Any]:
    return recordings.document(version, "workflow")["status"]["nodes"]


@pytest.mark.parametrize("version", VERSIONS)
def test_identifiers_are_the_hashes_of_paths(version: str) -> None:
    nodes = nodes_of(version)
    assert nodes
    for identifier, node in nodes.items():
        workflow, _, number = identifier.rpartition("-")
        if number.isdigit():
            assert number == str(hashed(node["name"])), node["name"]
        else:
            assert identifier == node["name"] != workflow


@pytest.mark.parametrize("version", VERSIONS)
def test_the_pods_of_every_task_are_known_from_what_the_api_shows(version: str) -> None:
    """The API shows the nodes' names, states and children, as ``api_converter.go`` makes them."""
    nodes = nodes_of(version)
    shown = [
        {
            "display_name": node["displayName"],
            "child_tasks": [{"pod_name": child} for child in node.get("children", ())],
        }
        for node in nodes.values()
    ]
    run = as_run({"run_details": {"task_details": shown}})
    pods = [node for node in nodes.values() if node["type"] == "Pod"]
    assert len(pods) > 20
    for node in pods:
        path, name = node["name"].split("."), f"{node['id'].rpartition('-')[0]}"
        name = f"{name}-{node['templateName']}-{node['id'].rpartition('-')[2]}"
        executed = path[-1].startswith("executor")
        task = re.sub(r"\(\d+\)$", "", path[-2] if executed else path[-1])
        importer = task.startswith("source-")
        assert [name in pod.names for pod in pods_of(run, task, importer=importer)] == [True]


def test_the_newest_attempt_comes_first() -> None:
    run = polls("2.16.1", "stepfails")[-1]
    newest, oldest = pods_of(run, "ingest")
    path = "stepfails-9vvnn.root.ingest.executor"
    assert (newest.number, oldest.number) == (str(hashed(f"{path}(1)")), str(hashed(f"{path}(0)")))
    assert newest.kubectl("team").startswith("kubectl logs -n team -c main $(kubectl get pods -n t")


def test_a_run_without_nodes_has_no_pods() -> None:
    assert pods_of(as_run({"run_details": {"task_details": []}}), "train") == []
