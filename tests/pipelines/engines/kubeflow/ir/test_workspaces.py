"""The Dataset on a volume: compiled as the SDK would, fetched once, read where it lies, checked."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import pytest
import yaml
from kfp import compiler, dsl, kubernetes

from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.types import SINGLE_FILE_KINDS
from components.contract.workspace import FOLDER
from pipelines.compress import graph_of
from pipelines.engines.kubeflow.ir import vertex
from pipelines.engines.kubeflow.ir.compiling import compiled
from pipelines.engines.kubeflow.ir.importers import Imported
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.engines.kubeflow.ir.servers import ServerVersion, parsed
from pipelines.engines.kubeflow.ir.workspaces import stagings
from pipelines.engines.kubeflow.launching.fitting import compiled_for
from pipelines.runs.graph import Ref
from tests.pipelines.engines.kubeflow.graphs import REFERENCES, SETTINGS, compile_config, config_of
from tests.pipelines.engines.kubeflow.runs import stage_for_kubeflow
from tests.servers.kfp.faults import TaskFailedError
from tests.servers.kfp.releases import VERSIONS
from tests.servers.kfp.sequential import Backend
from tests.servers.kfp.stand_ins import StandInPod

ROOT = "gs://bucket/pipelines"
CLAIM = {"claim": "datasets"}
PLATFORM = {"size": "10Gi", "storage_class": "nfs"}
DATASET_BYTES, OTHER_BYTES = 400_000, 100


@dataclass
class Sizes:
    """Stand-ins for components: outputs of a size, and what of the inputs was there."""

    read: Counter[str] = field(default_factory=Counter)
    written: list[str] = field(default_factory=list)

    def function(self, component, task):
        interface = interface_of(component)

        def write(**arguments):
            self.written.append(task)
            for port in interface.inputs:
                path = arguments[port.name]
                for each in path if port.many else [path] if path else []:
                    assert each.exists(), (task, port.name)
                if port.kind == "Dataset" and path is not None:
                    (file,) = path.iterdir()
                    assert file.stat().st_size == DATASET_BYTES
                    self.read[task] += 1
                    if "datasets" in str(path.resolve()) or "kfp-workspace" in str(path.resolve()):
                        assert file.stat().st_mode & 0o777 == 0o444
                        assert path.stat().st_mode & 0o777 == 0o555
            for port in interface.outputs:
                size = DATASET_BYTES if port.kind == "Dataset" else OTHER_BYTES
                path = arguments[port.name]
                if port.kind in SINGLE_FILE_KINDS:
                    path.write_text('{"auc": 0.5}' if port.kind == "Metrics" else "{}")
                    continue
                path.mkdir(parents=True)
                (path / "file").write_bytes(task.encode().ljust(size, b"."))

        return write


@dataclass
class Emulated:
    """A compiled pipeline, the emulation that runs it, and what its steps saw."""

    backend: Backend
    staged: object
    sizes: Sizes

    def run(self):
        self.backend.run(self.staged.made.text)
        return self.backend.moved


def emulated(folder, workspace, version="2.17.0", volumes=None):
    folder.mkdir(exist_ok=True)
    settings = {"workspace": workspace} if workspace else {}
    staged = stage_for_kubeflow(folder, folder / "storage", dict(REFERENCES), ROOT, **settings)
    sizes = Sizes()
    if volumes is None:
        volumes = folder / "volumes"
        (volumes / "datasets").mkdir(parents=True)

    def pod(place):
        return StandInPod(place, place.name, sizes)

    backend = Backend(folder / "storage", folder / "scratch", pod, version, volumes=volumes)
    return Emulated(backend, staged, sizes)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_dataset_is_fetched_from_the_bucket_once(version, tmp_path):
    without = emulated(tmp_path / "without", None, version)
    before = without.run()
    workspace = PLATFORM if parsed(version) >= ServerVersion(2, 15) else CLAIM
    one = emulated(tmp_path / "with", workspace, version)
    after = one.run()
    readers = [name for name in one.sizes.read if "sealed" not in name]
    assert len(readers) >= 6
    assert one.sizes.read == without.sizes.read
    assert one.sizes.written == without.sizes.written
    saved = before.downloaded - after.downloaded
    # One task fetches it, and neither its readers do nor who reads the report of ingest alone.
    assert saved > (len(readers) + 1 - 1.1) * DATASET_BYTES
    assert after.uploaded - before.uploaded < 0.05 * DATASET_BYTES


def test_statements_name_the_bucket_so_that_records_are_the_same(tmp_path):
    one = emulated(tmp_path, CLAIM)
    one.run()
    found = one.backend.artifacts
    result = found["ingest", "dataset"]["uri"]
    path = tmp_path / "storage" / found["train", "model"]["uri"].removeprefix("gs://")
    said = json.loads((path / "statement.json").read_text())["inputs"]["dataset"]
    assert said["uri"] == f"{result}/dataset"
    stated = tmp_path / "storage" / result.removeprefix("gs://") / "statement.json"
    assert said["digest"] == json.loads(stated.read_text())["outputs"]["dataset"]["digest"]
    assert (stated.parent / "dataset" / "file").stat().st_size == DATASET_BYTES


def test_a_claim_keeps_it_for_the_next_run(tmp_path):
    first = emulated(tmp_path / "first", CLAIM)
    first.run()
    volumes = first.backend.volumes
    (kept,) = (volumes / "datasets" / FOLDER).iterdir()
    before = kept.stat().st_ino
    second = emulated(tmp_path / "second", CLAIM, volumes=volumes)
    second.run()
    (again,) = (volumes / "datasets" / FOLDER).iterdir()
    assert (again, again.stat().st_ino) == (kept, before)


def damaged(volumes):
    (kept,) = (volumes / "datasets" / FOLDER).iterdir()
    kept.chmod(0o755)
    (kept / "file").chmod(0o644)
    (kept / "file").write_bytes(b"0" * DATASET_BYTES)


def test_a_copy_that_was_changed_is_replaced(tmp_path):
    first = emulated(tmp_path / "first", CLAIM)
    first.run()
    damaged(first.backend.volumes)
    second = emulated(tmp_path / "second", CLAIM, volumes=first.backend.volumes)
    second.run()
    assert second.sizes.read == first.sizes.read


class Emptied(Sizes):
    """Somebody changes the volume while the run goes on."""

    def __init__(self, at, how):
        super().__init__()
        self.at, self.how = at, how

    def function(self, component, task):
        inner = super().function(component, task)

        def write(**arguments):
            inner(**arguments)
            if task == self.at:
                self.how()

        return write


@pytest.mark.parametrize(
    ("how", "what"),
    [
        (damaged, "dataset: what lies at"),
        (lambda volumes: (volumes / "datasets" / FOLDER).rename(volumes / "gone"), "emptied it"),
    ],
)
def test_what_is_not_there_as_it_was_is_refused(how, what, tmp_path, capfd):
    one = emulated(tmp_path, CLAIM)
    one.sizes = Emptied("train", partial(how, one.backend.volumes))
    one.backend.pod = lambda place: StandInPod(place, place.name, one.sizes)
    with pytest.raises(TaskFailedError, match="exit status 2"):
        one.run()
    said = capfd.readouterr().err
    assert what in said
    assert "fix: " in said


def test_a_volume_that_cannot_be_written_is_said(tmp_path, capfd):
    one = emulated(tmp_path, CLAIM)
    shutil.rmtree(one.backend.volumes / "datasets")
    with pytest.raises(TaskFailedError, match='persistentvolumeclaim "datasets" not found'):
        one.run()
    (one.backend.volumes / "datasets").mkdir()
    (one.backend.volumes / "datasets" / FOLDER).write_text("a file in its place")
    again = emulated(tmp_path / "again", CLAIM, volumes=one.backend.volumes)
    with pytest.raises(TaskFailedError, match="exit status 2"):
        again.run()
    said = capfd.readouterr().err
    assert "who has to write to the workspace once" in said
    assert "fix: use a storage class whose volumes every user may write" in said


# what is compiled -------------------------------------------------------------------------------


def documents(config):
    return list(yaml.safe_load_all(compile_config(config).text))


def by_the_sdk(path, workspace):
    """What the SDK writes for a pod with a workspace."""

    @dsl.container_component
    def reader(workspace: str):
        return dsl.ContainerSpec(image="i", command=["c"], args=["{{$}}"])

    config = None
    if "size" in workspace:
        patch = {"accessModes": ["ReadWriteMany"], "storageClassName": "nfs"}
        volume = dsl.KubernetesWorkspaceConfig(pvcSpecPatch=patch)
        own = dsl.WorkspaceConfig(size=workspace["size"], kubernetes=volume)
        config = dsl.PipelineConfig(workspace=own)

    @dsl.pipeline(name="p", pipeline_config=config)
    def pipeline():
        place = dsl.WORKSPACE_PATH_PLACEHOLDER if config else "/slimline-workspace"
        task = reader(workspace=place)
        if "claim" in workspace:
            kubernetes.mount_pvc(task, workspace["claim"], "/slimline-workspace")

    compiler.Compiler().compile(pipeline, str(path))
    return list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("workspace", [CLAIM, PLATFORM])
def test_the_volume_is_asked_for_as_the_sdk_does(workspace, tmp_path):
    ours = documents(config_of(tmp_path, kubeflow=SETTINGS | {"workspace": workspace}))
    theirs = by_the_sdk(tmp_path / "sdk.yaml", workspace)
    own, other = (one[1]["platforms"]["kubernetes"] for one in (ours, theirs))
    assert own.get("pipelineConfig") == other.get("pipelineConfig")
    pods, tasks = own["deploymentSpec"]["executors"], ours[0]["root"]["dag"]["tasks"]
    wanted = other.get("deploymentSpec", {}).get("executors", {}).get("exec-reader", {})
    place = theirs[0]["root"]["dag"]["tasks"]["reader"]["inputs"]["parameters"]["workspace"]
    components = ours[0]["components"]
    for name in ("train", "evaluate-teacher", "workspace-dataset"):
        reference = tasks[name]["componentRef"]["name"]
        label = components[reference]["executorLabel"]
        assert pods[label].get("pvcMount") == wanted.get("pvcMount")
        assert tasks[name]["inputs"]["parameters"]["workspace"] == place
    sealed = tasks["evaluate-sealed"]
    assert "workspace" not in sealed["inputs"]["parameters"]
    assert sealed["inputs"]["artifacts"]["dataset"]["taskOutputArtifact"] == {
        "producerTask": "ingest", "outputArtifactKey": "sealed",
    }  # fmt: skip


def test_only_a_claim_may_be_taken_from_the_cache(tmp_path):
    for workspace, cached in ((CLAIM, True), (PLATFORM, False)):
        settings = SETTINGS | {"workspace": workspace}
        tasks = documents(config_of(tmp_path, kubeflow=settings))[0]["root"]["dag"]["tasks"]
        assert bool(tasks["workspace-dataset"]["cachingOptions"]) == cached


def test_without_a_workspace_nothing_changes(tmp_path):
    config = config_of(tmp_path)
    assert stagings(graph_of(config), {"train"}, config.kubeflow) == {}
    assert "workspace" not in compile_config(config).text


def test_one_reader_alone_fetches_its_own(tmp_path):
    config = config_of(tmp_path, kubeflow=SETTINGS | {"workspace": CLAIM})
    graph = graph_of(config)
    assert stagings(graph, {"train"}, config.kubeflow) == {}
    (staging,) = stagings(graph, {"train", "evaluate-teacher"}, config.kubeflow).values()
    assert staging.task == "workspace-dataset"


@pytest.mark.parametrize(
    ("workspace", "what", "fixed"),
    [
        ({}, "either a claim that is there, or a volume", CLAIM),
        ({"claim": "a", "size": "1Gi"}, "either a claim", CLAIM),
        ({"claim": "a", "storage_class": "nfs"}, "a claim has its own", {"claim": "a"}),
        ({"claim": "my.claim"}, "cannot be mounted", {"claim": "my-claim"}),
        ({"claim": "kfp-launcher"}, "a volume of Kubeflow's own", CLAIM),
        ({"size": "fifty"}, "no size of a volume", {"size": "50Gi"}),
        ({"size": "1Gi", "access_modes": ["ReadWrite"]}, "access_modes", {"size": "1Gi"}),
    ],
)
def test_what_cannot_be_mounted_is_refused(workspace, what, fixed, tmp_path):
    with pytest.raises(UserError, match=what):
        config_of(tmp_path, kubeflow=SETTINGS | {"workspace": workspace})
    config_of(tmp_path, kubeflow=SETTINGS | {"workspace": fixed})


def test_vertex_has_none(tmp_path):
    config = config_of(tmp_path, kubeflow=SETTINGS | {"workspace": CLAIM})
    with pytest.raises(UserError, match=r"kubeflow.workspace: Vertex AI has no volumes"):
        vertex.check(graph_of(config), config.kubeflow)


@pytest.mark.parametrize("version", [*VERSIONS, None])
def test_a_server_that_makes_no_volumes_is_not_asked_for_one(version, tmp_path):
    def compiling(workspace):
        config = config_of(tmp_path, kubeflow=SETTINGS | {"workspace": workspace})
        graph = graph_of(config)
        sources = dict.fromkeys(graph.sources, "1" * 64)
        compiled_for(parsed(version), check(config, graph), sources, REFERENCES)

    if version in ("2.5.0", "2.14.0"):
        with pytest.raises(UserError, match=f"Kubeflow Pipelines {version} makes no volume"):
            compiling(PLATFORM)
    else:
        compiling(PLATFORM)
    compiling(CLAIM)


def test_a_part_of_a_graph_stages_what_an_earlier_run_made(tmp_path):
    config = config_of(tmp_path, kubeflow=SETTINGS | {"workspace": CLAIM})
    graph = graph_of(config)
    only = {step.name for step in graph.steps if step.component in ("train", "distill")}
    imported = {Ref("ingest", "dataset"): Imported(f"{ROOT}/tiny/run/ingest/salt/dataset")}
    sources = dict.fromkeys(graph.sources, "1" * 64)
    made = compiled(check(config, graph), sources, REFERENCES, only=only, imported=imported)
    tasks = made.spec["root"]["dag"]["tasks"]
    fetched = tasks["workspace-dataset"]["inputs"]["artifacts"]["dataset"]["taskOutputArtifact"]
    assert fetched == {"producerTask": "result-ingest-dataset", "outputArtifactKey": "dataset"}
    assert set(tasks) == {*only, "workspace-dataset", "result-ingest-dataset"}
