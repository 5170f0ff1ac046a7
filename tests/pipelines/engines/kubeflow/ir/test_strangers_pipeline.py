"""Components in a pipeline that somebody else wrote with the SDK alone, run by its DockerRunner."""

import json
import shutil

import pytest
from kfp import dsl
from kfp.components import load_component_from_file

from components.contract.tree import tree_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.component_file import component_file, image_of
from pipelines.images.building import find
from pipelines.images.daemon import connect
from pipelines.sources.snapshot import snapshot, stage
from tests.pipelines.engines.kubeflow.graphs import TINY
from tests.servers.kfp import docker_runner

pytestmark = [
    pytest.mark.containers,
    # It says of every step that it ignores resources, and of gs:// that it does not know it.
    pytest.mark.filterwarnings("ignore::UserWarning:kfp"),
]

NAMES = ("ingest", "train", "prune", "convert", "benchmark")


@pytest.fixture(scope="module")
def components(tmp_path_factory):
    """The files as `slimline compile --component` writes them, but for the names of the images.

    The runner pulls what this machine does not know by a tag, and no registry can be reached.
    """
    folder, client = tmp_path_factory.mktemp("components"), connect()
    for name in NAMES:
        image = find(client, image_of(name, gpu=False)).name
        (folder / f"{name}.yaml").write_text(component_file(name, image))
    return {name: load_component_from_file(str(folder / f"{name}.yaml")) for name in NAMES}


@pytest.fixture(scope="module")
def ran(components, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strangers")
    stage(snapshot(load(TINY).data), folder / "staged")
    data = folder / "gcs" / "bucket" / "digits"
    shutil.copytree(folder / "staged", data)  # real files in place of links

    @dsl.pipeline(name="mine")
    def mine(seed: int = 3):
        digits = dsl.importer(artifact_uri="gs://bucket/digits", artifact_class=dsl.Dataset)
        ingested = components["ingest"](
            source=digits.output, height=8, width=8, channels=1, maximum=16, task="verification",
            split_by="image", subset=240, label_column="last", seed=seed,
        )  # fmt: skip
        dataset = ingested.outputs["dataset"]
        trained = components["train"](
            dataset=dataset, backbone="conv", alpha=0.25, embedding=8, epochs=1, threads=1
        )
        pruned = components["prune"](
            model=trained.outputs["model"], dataset=dataset, sparsity=0.5, epochs=1, threads=1
        )
        lite = components["convert"](model=pruned.outputs["pruned"], threads=1)
        components["benchmark"](model=lite.outputs["lite"], processes=1)

    return docker_runner.run_pipeline(mine, folder / "gcs", folder / "outputs")


def statement(ran, name):
    return json.loads(ran.path(name, "statement").read_text())


def test_every_step_ended_well_with_the_outputs_that_its_statement_names(ran):
    for name in NAMES:
        said = statement(ran, name)
        assert said["outcome"] == {"result": "ok"}, name
        for port, output in said["outputs"].items():
            assert tree_of(ran.path(name, port)).digest == output["digest"], (name, port)


def test_what_the_stranger_wrote_is_what_was_done(ran):
    assert statement(ran, "ingest")["parameters"]["seed"] == 3
    pruned = json.loads((ran.path("prune", "report") / "pruning.json").read_text())
    assert statement(ran, "prune")["parameters"]["sparsity"] == 0.5
    assert pruned
    sizes = [path.stat().st_size for path in ran.path("convert", "lite").glob("*.tflite")]
    assert len(sizes) == 1
    assert sizes[0] > 1000
    assert json.loads(ran.path("benchmark", "metrics").read_text())["p50_ms"] > 0


def test_artifacts_passed_from_step_to_step_by_their_digests(ran):
    dataset = tree_of(ran.path("ingest", "dataset")).digest
    assert statement(ran, "prune")["inputs"]["dataset"] == dataset
    assert (
        statement(ran, "benchmark")["inputs"]["model"]
        == tree_of(ran.path("convert", "lite")).digest
    )
