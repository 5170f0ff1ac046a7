"""Status of nodes as Argo wrote it: which nodes, how many bytes, and how they compress."""

import json

import pytest

from pipelines.engines.kubeflow.ir.sizes.node_status import NodeStatus
from tests.pipelines.engines.kubeflow.ir.sizes.recorded import WITHIN, compressed, json_bytes


def test_nodes_are_those_of_argo(recorded):
    name = recorded.workflow["metadata"]["name"]
    theirs = recorded.workflow["status"]["nodes"].values()
    ours = json.loads(NodeStatus(recorded.launches).text()).values()

    def told(nodes, workflow):
        return sorted(
            (node["name"].replace(workflow, "W"), node["type"], node["templateName"])
            for node in nodes
        )

    own = next(node["name"].partition("(")[0] for node in ours if "." not in node["name"])
    assert told(ours, own) == told(theirs, name)


def test_their_status_is_as_large(recorded):
    theirs = json_bytes(recorded.workflow["status"]["nodes"])
    assert len(NodeStatus(recorded.launches).text().encode()) == pytest.approx(theirs, rel=WITHIN)


def test_compressed_it_is_no_smaller_and_hardly_larger(recorded):
    """Compared in the same order: which nodes stand near each other is chance, and matters."""
    name = recorded.workflow["metadata"]["name"]
    theirs = recorded.workflow["status"]["nodes"]
    nodes = json.loads(NodeStatus(recorded.launches).text()).values()
    own = next(node["name"].partition("(")[0] for node in nodes if "." not in node["name"])
    ours = {node["name"].replace(own, name): node for node in nodes}
    ordered = {ours[node["name"]]["id"]: ours[node["name"]] for node in theirs.values()}
    assert compressed(ordered) == pytest.approx(compressed(theirs), rel=0.03)
    assert compressed(ordered) > 0.99 * compressed(theirs)
