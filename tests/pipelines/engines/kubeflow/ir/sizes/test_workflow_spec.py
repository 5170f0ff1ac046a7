"""What is computed of a Workflow is what real servers made, within two percent."""

import json

import pytest

from pipelines.engines.kubeflow.ir.sizes.texts import compact, size
from pipelines.engines.kubeflow.ir.sizes.workflow_spec import (
    arguments,
    root_argument,
    root_tasks,
    spec_bytes,
)
from tests.pipelines.engines.kubeflow.ir.sizes.recorded import WITHIN, json_bytes


def test_arguments_are_those_of_the_server(recorded):
    found = recorded.workflow["spec"]["arguments"]["parameters"]
    assert size(compact(arguments(recorded.launches))) == pytest.approx(
        json_bytes(found), rel=WITHIN
    )
    names = {one["name"].rpartition("-")[0] for one in found} | {"components-root"}
    assert {one["name"].rpartition("-")[0] for one in arguments(recorded.launches)} <= names | {
        "kubernetes-comp", "components", "implementations",
    } | names  # fmt: skip


def test_the_root_is_told_as_the_server_tells_it(recorded):
    found = {
        one["name"]: one["value"] for one in recorded.workflow["spec"]["arguments"]["parameters"]
    }
    ours = json.loads(root_argument(recorded.launches))
    theirs = json.loads(found["components-root"])
    assert ours == theirs


def test_tasks_of_the_root_are_those_of_the_server(recorded):
    (root,) = (t for t in recorded.workflow["spec"]["templates"] if t["name"] == "root")
    found = root["dag"]["tasks"]
    ours = root_tasks(recorded.launches)
    assert sorted(one["name"] for one in ours) == sorted(one["name"] for one in found)
    assert size(compact(ours)) == pytest.approx(json_bytes(found), rel=WITHIN)


def test_the_whole_without_its_nodes_is_as_large(recorded):
    from pipelines.engines.kubeflow.ir.sizes.node_status import NodeStatus

    whole = json_bytes(recorded.workflow) - json_bytes(recorded.workflow["status"]["nodes"])
    ours = spec_bytes(recorded.launches) + NodeStatus(recorded.launches).results_bytes()
    assert ours == pytest.approx(whole, rel=WITHIN)
