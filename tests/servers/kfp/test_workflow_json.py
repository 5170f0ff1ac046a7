"""What the emulation writes of a Workflow is as long as what four versions wrote, within 2 %."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.kfp import recordings
from tests.servers.kfp.compiled_workflow import arguments, compiled_bytes, root_template
from tests.servers.kfp.driver import Driver, Metadata
from tests.servers.kfp.releases import RELEASES, VERSIONS
from tests.servers.kfp.workflow import Workflow, tasks_of
from tests.servers.kfp.workflow_json import WorkflowJson, compact

CLOSE = 0.02


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def recorded(version: str) -> dict[str, Any]:
    return recordings.document(version, "workflow")


@pytest.fixture
def written(version: str, recorded: dict[str, Any]) -> WorkflowJson:
    text = (recordings.needed() / "succeeds.ir.yaml").read_text()
    spec, platform = yaml.safe_load_all(text)
    given = {
        task: json_format.ParseDict(called["executor_input"], pb.ExecutorInput())
        for task, called in recordings.document(version, "launcher").items()
    }
    run = recorded["metadata"]["labels"]["pipeline/runid"]
    return WorkflowJson(RELEASES[version], spec, platform, run, "gs://bucket/root", given)


def completed(written: WorkflowJson, recorded: dict[str, Any]) -> Workflow:
    name = recorded["metadata"]["name"]
    workflow = Workflow(name, written.release, tasks_of(written.spec), lambda: "now")
    workflow.begin()
    workflow.importing("source-data")
    while ready := workflow.ready():
        for task in ready:
            workflow.execute(task)
            workflow.step_over(task, "Succeeded")
    workflow.over("Succeeded")
    return workflow


def test_the_compiled_part_is_the_recorded_one(
    written: WorkflowJson, recorded: dict[str, Any]
) -> None:
    theirs = recorded["spec"]
    assert len(compact(arguments(written))) == len(compact(theirs["arguments"]))
    (root,) = (one for one in theirs["templates"] if one["name"] == "root")
    assert len(compact(root_template(written))) == len(compact(root))
    status = {k: v for k, v in recorded["status"].items() if not k.startswith(("nodes", "taskRes"))}
    assert compiled_bytes(written) == pytest.approx(
        len(compact({**recorded, "status": status})), rel=CLOSE
    )


def test_every_node_is_as_long_as_the_recorded_one(
    written: WorkflowJson, recorded: dict[str, Any]
) -> None:
    mine, theirs = written.nodes(completed(written, recorded)), recorded["status"]["nodes"]
    assert mine.keys() == theirs.keys()
    for identifier, node in theirs.items():
        length = len(compact(node))
        assert len(compact(mine[identifier])) == pytest.approx(length, abs=60, rel=CLOSE), node[
            "name"
        ]
        assert (mine[identifier]["type"], mine[identifier]["phase"]) == (
            node["type"],
            node["phase"],
        )
        assert sorted(mine[identifier].get("children", ())) == sorted(node.get("children", ()))
    assert len(compact(mine)) == pytest.approx(len(compact(theirs)), rel=CLOSE)


def test_compressed_nodes_are_as_long_as_the_recorded_ones(
    written: WorkflowJson, recorded: dict[str, Any]
) -> None:
    data = gzip.compress(compact(recorded["status"]["nodes"]).encode(), 9)
    assert written.compressed_bytes(completed(written, recorded)) == pytest.approx(
        len(base64.b64encode(data)), rel=CLOSE
    )


def test_launchers_are_called_with_what_the_recorded_ones_were(
    version: str, written: WorkflowJson
) -> None:
    called = recordings.document(version, "launcher")
    spec = json_format.ParseDict(dict(written.spec), pb.PipelineSpec())
    root = f"gs://bucket/root/succeeds/{written.run}"
    driver = Driver(RELEASES[version], spec, root, Metadata())
    driver.import_("source-data")
    for task, theirs in called.items():  # in the order of their names; artifacts as recorded
        _hand_on(driver, task, theirs)
        mine = json_format.MessageToDict(driver.executor_input(task))
        salt = _salt(theirs["executor_input"])
        text = json.dumps(mine, sort_keys=True).replace(_salt(mine), salt)
        assert json.loads(text) == theirs["executor_input"], task
        container = driver.executor(task)["container"]
        assert [*container["command"], *container["args"]] == theirs["args"], task


def _hand_on(driver: Driver, task: str, theirs: dict[str, Any]) -> None:
    """Let the driver have made what the recorded step was given."""
    flows = driver.task(task).inputs.artifacts
    for port, listed in theirs["executor_input"]["inputs"].get("artifacts", {}).items():
        ref = flows[port].task_output_artifact
        driver.made[ref.producer_task, ref.output_artifact_key] = listed["artifacts"][0]


def _salt(told: dict[str, Any]) -> str:
    return told["outputs"]["artifacts"]["executor-logs"]["artifacts"][0]["uri"].split("/")[-2]
