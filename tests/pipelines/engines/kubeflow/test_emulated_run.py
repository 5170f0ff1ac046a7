"""Every component behind an emulation of the back end's launcher, from Source to Release."""

import json

import pytest

from components.contract.interface import interface_of
from components.contract.tree import tree_of
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.engines.kubeflow.ir.sizes.back_end import BACK_ENDS
from pipelines.engines.kubeflow.ir.sizes.launches import Launches
from pipelines.engines.kubeflow.ir.sizes.texts import compact, plain, size
from pipelines.engines.kubeflow.results.result_importer import ResultImporter
from pipelines.images.building import IMAGES, find
from pipelines.images.daemon import connect
from pipelines.runs.cache import Cache
from pipelines.stores.bucket import BucketStore
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.graphs import REFERENCES
from tests.pipelines.engines.kubeflow.runs import made_locally, stage_for_kubeflow
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.faults import TaskFailedError
from tests.servers.kfp.pods import ContainerPod, ProcessPod
from tests.servers.kfp.sequential import Backend

ROOT = "gs://bucket/pipelines"


@pytest.fixture(scope="module")
def local(tiny_run):
    return made_locally(tiny_run)


# A process for each step imports TensorFlow anew; of containers the same is shown each time.
PODS = [
    pytest.param(ProcessPod, marks=pytest.mark.slow),
    pytest.param(ContainerPod, marks=pytest.mark.containers),
]


@pytest.fixture(scope="module", params=PODS)
def ran(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("emulated")
    images = REFERENCES
    if request.param is ContainerPod:
        images = {image: find(connect(), image).digest for image in IMAGES}
    staged = stage_for_kubeflow(folder, folder / "storage", images, ROOT)
    backend = Backend(folder / "storage", folder / "scratch", request.param)
    backend.root = backend.run(staged.made.text)
    backend.staged = staged
    return backend


def path(backend, uri):
    return backend.storage / uri.removeprefix("gs://")


def place(backend, step, output):
    """Where an output of a step lies on this machine."""
    layout = layout_of_step(backend.staged.graph.by_name[step])
    artifact = backend.artifacts[step, layout.artifact_of(output)]
    found = path(backend, artifact["uri"])
    return found if output in layout.beside else found / output


def statement(backend, step):
    layout = layout_of_step(backend.staged.graph.by_name[step])
    result = path(backend, backend.artifacts[step, layout.name]["uri"])
    return json.loads((result / "statement.json").read_text())


def test_every_step_ran_and_left_all_its_outputs_in_its_result_or_beside_it(ran):
    for step in ran.staged.graph.steps:
        assert statement(ran, step.name)["outcome"] == {"result": "ok"}
        layout = layout_of_step(step)
        mine = {artifact for task, artifact in ran.artifacts if task == step.name}
        assert mine == {layout.name, *layout.beside}
        for artifact in mine:
            assert ran.artifacts[step.name, artifact]["uri"].startswith(f"{ran.root}/{step.name}/")
        for port in interface_of(step.component).outputs:
            assert place(ran, step.name, port.name).exists(), (step.name, port.name)


def test_outputs_have_the_digests_of_the_local_engine(ran, local):
    assert len(local.reproducible) == 8
    for step, outputs in local.reproducible.items():
        stated = statement(ran, step)["outputs"]
        for output, digest in outputs.items():
            assert stated[output]["digest"] == digest, (step, output)
            assert tree_of(place(ran, step, output)).digest == digest, (step, output)


def test_scores_are_those_of_the_local_engine(ran, local):
    for step, outputs in local.outputs.items():
        if step.startswith("evaluate") and "sealed" not in step:
            assert statement(ran, step)["outputs"]["report"]["digest"] == outputs["report"], step


def test_metadata_are_what_people_see_and_results_show_at_most_eight_metrics(ran):
    shown = {}
    for (step, output), artifact in ran.artifacts.items():
        if step.startswith("source-") or output == "curve":
            continue
        metadata = dict(artifact["metadata"])
        metadata.pop("store_session_info")  # the launcher's
        assert all(type(value) in (str, int, float) for value in metadata.values()), (step, output)
        layout = layout_of_step(ran.staged.graph.by_name[step])
        shown[step, output] = metadata.pop("display_name")
        if output in layout.beside:
            assert set(metadata) == {"digest", "size_bytes"}
        elif layout.kind == "Metrics":
            assert 1 <= len(metadata) <= 8, (step, metadata)
            assert not {"digest", "left_out"} & set(metadata)
        else:
            assert metadata == {}
    winner = json.loads((place(ran, "select", "decision") / "decision.json").read_text())["winner"]
    assert shown["select", "metrics"] == f"winner {winner}"
    assert shown["convert-pruned-int8", "lite_model"] == "pruned-int8"
    assert shown["quantize-int8", "model"] == "pruned-int8", "one variant alone has this step"
    assert shown["train", "model"] == "train"
    metrics = ran.artifacts["select", "metrics"]["metadata"]
    assert {"size_bytes", "auc", "drop", "p50_ms_host"} <= set(metrics)


def test_from_the_last_statement_every_step_is_reached_by_addresses_alone(ran):
    found, waiting = {}, ["publish"]
    while waiting:
        step = waiting.pop()
        if step in found:
            continue
        found[step] = statement(ran, step)
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
                waiting.append(item["uri"].removeprefix(f"{ran.root}/").partition("/")[0])
    assert set(found) == {step.name for step in ran.staged.graph.steps}


def test_nobody_downloads_the_sealed_images_but_who_measures_on_them(ran):
    for step in ran.staged.graph.steps:
        read = [item for item in statement(ran, step.name)["inputs"].values() if item]
        uris = [one["uri"] for item in read for one in (item if isinstance(item, list) else [item])]
        assert any(uri.endswith("/sealed") for uri in uris) == step.opens_sealed, step.name


def test_the_release_is_there(ran):
    release = place(ran, "publish", "release")
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


def test_no_step_was_told_more_than_was_computed_beforehand(ran):
    made = ran.staged.made
    launches = Launches(made.spec, made.platform, BACK_ENDS[-1])
    for step in made.steps:
        told = compact(plain(launches.executor_input(step, complete=True)), ", ")
        assert 0.5 * size(told) < ran.argument_bytes[step] <= 1.05 * size(told), step


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
