"""The emulation keeps and loses what the back end's launcher keeps and loses."""

import json
from dataclasses import dataclass, field

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.kfp.driver import OUTPUT_FILE, stored
from tests.servers.kfp.faults import TaskFailedError
from tests.servers.kfp.launcher import METADATA_BYTES, Launcher
from tests.servers.kfp.object_storage import Bucket, FolderStorage, local_path_for_uri
from tests.servers.kfp.releases import RELEASES, VERSIONS

ROOT = "gs://bucket/pipelines/tiny/run"
CONTAINER = {
    "image": "i",
    "command": ["python"],
    "args": ["{{$}}"],
    "env": [{"name": "A", "value": "b"}],
}


@dataclass
class Writing:
    """A pod that writes what a test says."""

    folder: object
    files: dict = field(default_factory=dict)
    output: object = None
    code: int = 0
    seen: list = field(default_factory=list)

    def mount(self, path):
        return self.folder / path.lstrip("/")

    def run(self, image, command, environment, log):
        self.seen.append((image, command, environment))
        for name, text in self.files.items():
            path = self.mount(f"/gcs/bucket/pipelines/tiny/run/{name}")
            if text is None:
                path.mkdir(parents=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if self.output is not None:
            path = self.mount(OUTPUT_FILE)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                self.output if isinstance(self.output, str) else json.dumps(self.output)
            )
        return self.code


@pytest.fixture
def execute(tmp_path):
    def run(outputs=("model",), inputs=None, **pod):
        message = json_format.ParseDict(
            {
                "inputs": {
                    "artifacts": {
                        n: {"artifacts": [{"uri": u}]} for n, u in (inputs or {}).items()
                    },
                    "parameterValues": {"threads": 2, "rate": 0.5, "names": ["a", "b"]},
                },
                "outputs": {
                    "artifacts": {n: {"artifacts": [{"uri": f"{ROOT}/{n}"}]} for n in outputs},
                    "outputFile": OUTPUT_FILE,
                },
            },
            pb.ExecutorInput(),
        )
        run.pod = Writing(tmp_path / "pod", **pod)
        bucket = Bucket(FolderStorage(tmp_path / "storage"), ROOT)
        return Launcher(bucket, run.pod).execute(message, CONTAINER)

    run.storage = tmp_path / "storage/bucket/pipelines/tiny/run"
    return run


def test_the_placeholder_is_one_argument_with_all_that_a_component_is_told(execute):
    execute(files={"model/a": ""})
    ((image, command, environment),) = execute.pod.seen
    assert (image, environment) == ("i", {"A": "b"})
    told = json.loads(command[1])
    assert told["inputs"]["parameterValues"] == {"threads": 2, "rate": 0.5, "names": ["a", "b"]}
    assert told["outputs"]["outputFile"] == OUTPUT_FILE


def test_folders_are_uploaded_file_by_file_and_empty_ones_are_lost(execute):
    made = execute(files={"model/a/b": "x", "model/empty": None})
    assert made["model"]["uri"] == f"{ROOT}/model"
    assert [p for p in execute.storage.rglob("*") if p.is_file()] == [execute.storage / "model/a/b"]
    assert not (execute.storage / "model/empty").exists()


def test_an_output_that_was_not_written_is_no_error(execute, capsys):
    assert execute(outputs=("model", "page"), files={"model": "x"})["page"]["uri"]
    assert "page does not exist" in capsys.readouterr().err


def test_after_a_failure_nothing_is_kept(execute):
    with pytest.raises(TaskFailedError, match="exit status 2"):
        execute(files={"model/a": "x"}, code=2)
    assert not execute.storage.exists()


@pytest.mark.parametrize(
    "output", ["{", {"artefacts": {}}, {"artifacts": {"model": {"metadata": {}}}}]
)
def test_an_executor_output_with_unknown_keys_fails_the_finished_task(output, execute):
    with pytest.raises(TaskFailedError, match="failed to unmarshall ExecutorOutput"):
        execute(files={"model": "x"}, output=output)


def told(**artifact):
    return {"artifacts": {"model": {"artifacts": [artifact]}}}


def test_metadata_come_back_wrapped_or_fail_the_task(execute):
    given = {"s": "a", "n": 0.5, "b": True, "l": [1], "d": {"k": 1}}
    made = execute(files={"model": "x"}, output=told(metadata=given))
    assert made["model"]["metadata"] == {
        "s": "a", "n": 0.5, "b": 1, "l": {"list": [1]}, "d": {"struct": {"k": 1}},
    }  # fmt: skip
    with pytest.raises(TaskFailedError, match="null"):
        stored({"a": None})


def test_an_address_outside_the_root_is_refused(execute):
    with pytest.raises(TaskFailedError, match="does not have expected bucket prefix"):
        execute(files={"model": "x"}, output=told(uri="gs://other/model"))


def test_an_address_without_a_known_scheme_is_recorded_and_not_uploaded(execute, capsys):
    made = execute(files={"model": "x"}, output=told(uri="file:///model"))
    assert made["model"]["uri"] == "file:///model"
    assert "not uploaded" in capsys.readouterr().err
    assert not execute.storage.exists()


def test_inputs_are_downloaded_from_any_bucket_and_missing_ones_are_nothing(execute):
    other = execute.storage.parents[3] / "other/a/b"
    other.parent.mkdir(parents=True)
    other.write_text("x")
    execute(files={"model": "x"}, inputs={"a": "gs://other/a", "gone": "gs://other/gone"})
    assert execute.pod.mount("/gcs/other/a/b").read_text() == "x"
    assert not execute.pod.mount("/gcs/other/gone").exists()


def test_addresses_have_the_paths_of_their_mounts():
    assert [local_path_for_uri(f"{s}://b/k") for s in ("gs", "s3", "minio")] == [
        "/gcs/b/k", "/s3/b/k", "/minio/b/k",
    ]  # fmt: skip


# versions --------------------------------------------------------------------------------------


@pytest.fixture(params=VERSIONS)
def release(request):
    return RELEASES[request.param]


def launched(release, tmp_path, inputs, **pod):
    message = json_format.ParseDict(
        {
            "inputs": {
                "artifacts": {
                    name: {"artifacts": [{"uri": uri} for uri in uris]}
                    for name, uris in inputs.items()
                }
            },
            "outputs": {
                "artifacts": {
                    name: {"artifacts": [{"uri": f"{ROOT}/{name}"}]}
                    for name in ("executor-logs", "m")
                },
                "outputFile": OUTPUT_FILE,
            },
        },
        pb.ExecutorInput(),
    )
    storage = FolderStorage(tmp_path / "storage")
    for key in ("in/a/x", "in/ab/y", "in/b"):
        storage.write("bucket", key, key.encode())
    writing = Writing(tmp_path / "pod", **pod)
    component = pb.ComponentSpec()
    component.input_definitions.parameters["rate"].default_value.number_value = 0.5
    launcher = Launcher(Bucket(storage, ROOT), writing, release, component)
    return launcher, message, writing


def test_of_a_list_all_are_downloaded_since_2_14(release, tmp_path):
    uris = ["gs://bucket/in/b", "gs://bucket/in/a"]
    launcher, message, pod = launched(release, tmp_path, {"many": uris})
    launcher.execute(message, CONTAINER)
    assert pod.mount("/gcs/bucket/in/b").exists()
    assert pod.mount("/gcs/bucket/in/a/x").exists() == release.downloads_whole_lists


def test_what_begins_alike_is_downloaded_as_well_up_to_2_16(release, tmp_path):
    launcher, message, pod = launched(release, tmp_path, {"one": ["gs://bucket/in/a"]})
    launcher.execute(message, CONTAINER)
    assert pod.mount("/gcs/bucket/in/a/x").read_text() == "in/a/x"
    assert pod.mount("/gcs/bucket/in/ab/y").exists() == release.download_takes_siblings


def test_defaults_stand_in_what_the_step_is_told_and_nowhere_else(release, tmp_path):
    launcher, message, pod = launched(release, tmp_path, {})
    launcher.execute(message, CONTAINER)
    ((_, command, _),) = pod.seen
    assert json.loads(command[1])["inputs"]["parameterValues"] == {"rate": 0.5}
    assert not message.inputs.parameter_values


def test_metadata_above_4_mib_fail_the_finished_task(release, tmp_path):
    output = {"artifacts": {"m": {"artifacts": [{"metadata": {"matrix": "x" * METADATA_BYTES}}]}}}
    launcher, message, _ = launched(release, tmp_path, {}, files={"m": "x"}, output=output)
    with pytest.raises(TaskFailedError, match="received message larger than max"):
        launcher.execute(message, CONTAINER)


def test_an_argument_of_128_kib_cannot_be_passed(release, tmp_path):
    launcher, message, _ = launched(release, tmp_path, {})
    message.inputs.parameter_values["text"].string_value = "x" * release.argument_bytes
    with pytest.raises(TaskFailedError, match="argument list too long"):
        launcher.execute(message, CONTAINER)
