"""Every component behind an emulation of the back end's launcher, from Source to Release."""

import json

import pytest

from components.contract.interface import interface_of
from components.contract.tree import tree_of
from pipelines.engines.kubeflow.ir.component_spec import parameters
from pipelines.engines.kubeflow.result_importer import ResultImporter
from pipelines.engines.kubeflow.versions import PipelineVersion
from pipelines.images.building import find
from pipelines.images.daemon import connect
from pipelines.runs.cache import Cache
from pipelines.stores.bucket import BucketStore
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.graphs import REFERENCES
from tests.pipelines.engines.kubeflow.runs import run_locally, stage_for_kubeflow
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.faults import TaskFailedError
from tests.servers.kfp.pods import ContainerPod, ProcessPod
from tests.servers.kfp.sequential import Backend

ROOT = "gs://bucket/pipelines"


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    return run_locally(tmp_path_factory.mktemp("local"))


@pytest.fixture(
    scope="module", params=[ProcessPod, pytest.param(ContainerPod, marks=pytest.mark.containers)]
)
def ran(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("emulated")
    images = REFERENCES
    if request.param is ContainerPod:
        images = {image: find(connect(), image).digest for image in REFERENCES}
    staged = stage_for_kubeflow(folder, folder / "storage", images, ROOT)
    backend = Backend(folder / "storage", folder / "scratch", request.param)
    backend.root = backend.run(staged.made.text)
    backend.staged = staged
    return backend


def path(backend, uri):
    return backend.storage / uri.removeprefix("gs://")


def statement(backend, step):
    return json.loads(path(backend, backend.artifacts[step, "statement"]["uri"]).read_text())


def test_every_step_ran_and_left_all_its_outputs_under_the_root_of_the_run(ran):
    for step in ran.staged.graph.steps:
        assert statement(ran, step.name)["outcome"] == {"result": "ok"}
        for port in interface_of(step.component).outputs:
            uri = ran.artifacts[step.name, port.name]["uri"]
            assert uri.startswith(f"{ran.root}/{step.name}/")
            assert path(ran, uri).exists(), (step.name, port.name)


def test_artifacts_have_the_digests_of_the_local_engine(ran, local):
    assert len(local.reproducible) == 8
    for step, outputs in local.reproducible.items():
        for output, digest in outputs.items():
            artifact = ran.artifacts[step, output]
            assert artifact["metadata"]["digest"] == digest, (step, output)
            assert tree_of(path(ran, artifact["uri"])).digest == digest, (step, output)


def test_scores_are_those_of_the_local_engine(ran, local):
    for step, outputs in local.outputs.items():
        if step.startswith("evaluate") and "sealed" not in step:
            assert ran.artifacts[step, "report"]["metadata"]["digest"] == outputs["report"], step


def test_metadata_are_digests_sizes_and_scalars(ran):
    for (step, output), artifact in ran.artifacts.items():
        if output in ("statement", "artifact", "curve"):
            continue
        metadata = artifact["metadata"]
        assert len(metadata["digest"]) == 64, (step, output)
        assert all(type(value) in (str, int, float) for value in metadata.values()), (step, output)


def test_no_argument_was_longer_than_the_worst_case_told_beforehand(ran):
    source = ran.staged.made.sources["data"]
    for step in ran.staged.graph.steps:
        values = parameters(step, {"data": ran.staged.source.digest})
        worst = worst_case_bytes(step, values, pipeline="tiny", root=ROOT, source_root=source)
        assert 0.25 * worst < ran.argument_bytes[step.name] <= worst, step.name


def test_from_the_last_statement_every_step_is_reached_by_addresses_alone(ran):
    found, waiting = {}, [ran.artifacts["publish", "statement"]["uri"]]
    while waiting:
        uri = waiting.pop()
        step = uri.split("/")[-3]
        if step in found:
            continue
        found[step] = json.loads(path(ran, uri).read_text())
        for port, said in found[step]["inputs"].items():
            for item in said if isinstance(said, list) else [said]:
                if item is None:
                    continue
                assert set(item) == {"digest", "uri"}, port
                if "/sources/" in item["uri"]:
                    assert item["uri"] == ran.staged.made.sources["data"]
                    assert item["digest"] == ran.staged.source.digest
                    continue
                assert tree_of(path(ran, item["uri"])).digest == item["digest"]
                waiting.append(f"{item['uri'].rpartition('/')[0]}/statement")
    assert set(found) == {step.name for step in ran.staged.graph.steps}


def test_the_release_is_there(ran):
    release = path(ran, ran.artifacts["publish", "release"]["uri"])
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["size_bytes"] == (release / "model.tflite").stat().st_size


def test_data_that_changed_under_its_address_is_refused(tmp_path, capfd):
    staged = stage_for_kubeflow(tmp_path, tmp_path / "storage", REFERENCES, ROOT)
    listing = (
        path(Backend(tmp_path / "storage", tmp_path), staged.made.sources["data"]) / "source.json"
    )
    listing.write_text(listing.read_text().replace('"sha256":"', '"sha256":"0', 1))
    with pytest.raises(TaskFailedError, match="exit status 2"):
        Backend(tmp_path / "storage", tmp_path / "scratch").run(staged.made.text)
    assert f"expected {staged.source.digest}" in capfd.readouterr().err


def test_what_the_launcher_left_is_imported_as_if_the_run_had_been_local(ran, local, gcs, tmp_path):
    for file in sorted(item for item in ran.storage.rglob("*") if item.is_file()):
        kfp_cluster.put(gcs, f"gs://{file.relative_to(ran.storage)}", file.read_bytes())
    graph = ran.staged.graph
    images = dict.fromkeys(REFERENCES, f"r/i@sha256:{'0' * 64}")
    environments = dict.fromkeys(REFERENCES, "e" * 64)
    version = PipelineVersion(
        "0" * 16 + "-" + "1" * 16, "c" * 64, graph, {}, {}, images, environments
    )
    store = open_store(str(tmp_path / "store"))
    cache = Cache(store, tmp_path)
    kfp_run = ran.root.rpartition("/")[2]
    importer = ResultImporter(BucketStore(ROOT), version, kfp_run, "tiny-1", cache, tmp_path)
    importer.import_all(complete=True)
    assert importer.done.keys() == graph.by_name.keys()
    assert not any(done.cached for done in importer.done.values())
    for step, outputs in local.reproducible.items():
        assert importer.done[step].outputs == outputs
    decision = json.loads(
        cache.read_file(importer.done["select"].outputs["decision"], "decision.json")
    )
    assert decision["schema"]
    for done in importer.done.values():
        record = json.loads(store.get(done.record))
        assert record["predicate"]["runDetails"]["metadata"]["invocationId"] == (
            f"{kfp_run}/{done.step}"
        )
