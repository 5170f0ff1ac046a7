"""The compiled pipeline as kfp's own local runner executes it, in our images, on real data."""

import json

import pytest

from components.contract.interface import interface_of
from components.contract.tree import tree_of
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.images.building import IMAGES, find
from pipelines.images.daemon import connect
from tests.pipelines.engines.kubeflow.runs import made_locally, stage_for_kubeflow
from tests.servers.kfp import docker_runner

pytestmark = [
    pytest.mark.containers,
    # It says of every step that it ignores resources, and of gs:// that it does not know it.
    pytest.mark.filterwarnings("ignore::UserWarning:kfp"),
]


@pytest.fixture(scope="module")
def local(tiny_run):
    return made_locally(tiny_run)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docker-runner")
    images = {image: find(connect(), image).name for image in IMAGES}
    staged = stage_for_kubeflow(folder, folder / "gcs", images, "gs://bucket/pipelines")
    outputs = docker_runner.run(staged.made.text, folder / "gcs", folder / "outputs")
    return staged, outputs


def place(ran, step, output):
    """Where an output of a step lies."""
    staged, outputs = ran
    layout = layout_of_step(staged.graph.by_name[step])
    found = outputs.path(step, layout.artifact_of(output))
    return found if output in layout.beside else found / output


def statement(ran, step):
    staged, outputs = ran
    layout = layout_of_step(staged.graph.by_name[step])
    return json.loads((outputs.path(step, layout.name) / "statement.json").read_text())


def test_every_step_left_all_its_outputs(ran):
    staged, _ = ran
    for step in staged.graph.steps:
        stated = statement(ran, step.name)
        assert stated["outcome"] == {"result": "ok"}, step.name
        for port in interface_of(step.component).outputs:
            digest = tree_of(place(ran, step.name, port.name)).digest
            assert digest == stated["outputs"][port.name]["digest"], (step.name, port.name)


def test_artifacts_have_the_digests_of_the_local_engine(ran, local):
    assert len(local.reproducible) == 8
    for step, made in local.reproducible.items():
        for output, digest in made.items():
            assert tree_of(place(ran, step, output)).digest == digest, (step, output)


def test_what_entered_a_step_is_what_the_step_before_made(ran):
    staged, _ = ran
    for step in staged.graph.steps:
        stated = statement(ran, step.name)
        for port, flow in step.inputs.items():
            if flow is None or step.component == "ingest":
                continue
            told = stated["inputs"][port]
            told = told if isinstance(told, list) else [told]
            refs = flow if isinstance(flow, tuple) else (flow,)
            assert told == [tree_of(place(ran, ref.step, ref.output)).digest for ref in refs]
    assert statement(ran, "ingest")["inputs"]["source"]["digest"] == staged.source.digest


def test_the_release_is_there(ran):
    release = place(ran, "publish", "release")
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["size_bytes"] == (release / "model.tflite").stat().st_size
