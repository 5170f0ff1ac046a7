"""What launchers were called with, step by step."""

import json

import pytest

from pipelines.engines.kubeflow.ir.sizes.texts import compact, plain, size
from tests.pipelines.engines.kubeflow.ir.sizes.recorded import WITHIN


def test_steps_are_told_what_they_were_told(recorded):
    for step, called in recorded.launcher.items():
        ours = plain(recorded.launches.executor_input(step, complete=False))
        theirs = called["executor_input"]
        assert set(ours["outputs"]["artifacts"]) == set(theirs["outputs"]["artifacts"]), step
        assert ours["inputs"]["parameterValues"] == theirs["inputs"]["parameterValues"], step
        assert size(compact(ours)) == pytest.approx(len(compact(theirs)), rel=WITHIN), step


def test_descriptions_of_pods_are_as_large(recorded):
    patches = {}
    for node in recorded.workflow["status"]["nodes"].values():
        for one in node.get("inputs", {}).get("parameters", ()):
            if one["name"] == "pod-spec-patch" and node["type"] == "DAG":
                patches[node["displayName"].removesuffix("(0)")] = one["value"]
    assert set(patches) == set(recorded.launches.pod_spec_patches)
    for step, text in patches.items():
        ours = recorded.launches.pod_spec_patches[step]
        assert size(ours) == pytest.approx(len(text), rel=WITHIN), step
        assert set(json.loads(ours)) == set(json.loads(text)), step
