"""An emulation of what Kubeflow Pipelines does around a container, after the back end's source.

It is no cluster: there are no pods, no API server, no cache, no retries and no parallel tasks.
What it does follow, line by line, is how a task gets its input and loses or keeps its output: the
driver that resolves inputs and invents addresses, and the launcher that downloads, substitutes,
runs, reads ``executor_output.json`` and uploads. Each function names the Go function that it
follows; paths are those of the repository kubeflow/pipelines below ``backend/src/v2``, as of commits
00450640 (launcher_v2.go), 00317662 (driver/container.go), 0010b067 (driver/driver.go), ea1ccfc1
(converter.go), 031e8f93 (object_store.go) and 05e986f9 (config.go).

A folder stands for object storage: ``FOLDER/bucket/key`` is ``gs://bucket/key``, and as there, a
folder without files does not exist. A task runs in a ``Pod``: a process of this machine, whose
mounts lie below a scratch folder (``tests/servers/kfp/mounted.py``), or a container of our images.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Protocol

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

ROOT = Path(__file__).parents[3]
OUTPUT_FILE = "/tmp/kfp_outputs/output_metadata.json"
SCHEMES = ("gs://", "s3://", "minio://")


class TaskFailedError(Exception):
    """The launcher or the driver gave up; the message says what about."""


class Pod(Protocol):
    """Runs one command with the mounts of a task."""

    def mount(self, path: str) -> Path:
        """Return where on this machine the container finds ``path``."""
        ...

    def run(self, image: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run to the end and return the exit code."""
        ...


@dataclass
class ProcessPod:
    """A process of this machine, its mounts and its /tmp below ``folder``.

    It understands ``python -m components`` alone, and calls it through ``tests.servers.kfp.mounted``.
    """

    folder: Path

    def mount(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def run(self, image: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        assert list(command[:3]) == ["python", "-m", "components"], command
        rooted = [item.replace(OUTPUT_FILE, str(self.mount(OUTPUT_FILE))) for item in command[3:]]
        entry = [sys.executable, "-m", "tests.servers.kfp.mounted", str(self.folder), *rooted]
        return subprocess.run(
            entry, cwd=ROOT, env={**os.environ, **environment}, check=False
        ).returncode


@dataclass
class ContainerPod:
    """A container of our images, which are not changed at all; ``folder`` holds its mounts."""

    folder: Path

    def mount(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def run(self, image: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        for name in ("gcs", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(0o777)  # as an emptyDir, which any user of the pod writes to
        volumes = [f"--volume={self.folder}/{name}:/{name}" for name in ("gcs", "tmp")]
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        program, *arguments = command
        started = ["docker", "run", "--rm", "--network=none", f"--entrypoint={program}"]
        return subprocess.run(
            [*started, *volumes, *variables, image, *arguments], check=False
        ).returncode


# addresses --------------------------------------------------------------------------------------


def local_path_for_uri(uri: str) -> str:
    """component/launcher_v2.go, LocalPathForURI (oci:// left out)."""
    for scheme in SCHEMES:
        if uri.startswith(scheme):
            return f"/{'gcs' if scheme == 'gs://' else scheme[:-3]}/{uri.removeprefix(scheme)}"
    raise TaskFailedError(
        f"failed to generate local path for URI {uri}: unsupported storage scheme"
    )


def generate_output_uri(root: str, paths: Sequence[str]) -> str:
    """metadata/client.go, GenerateOutputURI."""
    return f"{root.partition('?')[0].rstrip('/')}/{posixpath.join(*paths)}"


@dataclass(frozen=True)
class Bucket:
    """objectstore/config.go, Config: the prefix that a task may write below.

    Attributes:
        storage: The folder that stands for object storage.
        prefixed: Scheme, bucket and prefix.
    """

    storage: Path
    prefixed: str

    def key_from_uri(self, uri: str) -> str:
        """objectstore/config.go, KeyFromURI: what lies elsewhere is refused."""
        if not uri.startswith(self.prefixed):
            raise TaskFailedError(
                f"URI {uri!r} does not have expected bucket prefix {self.prefixed!r}"
            )
        key = uri.removeprefix(self.prefixed).lstrip("/")
        if not key:
            raise TaskFailedError(f"URI {uri!r} has empty key")
        return key

    def path(self, key: str) -> Path:
        scheme = next(scheme for scheme in SCHEMES if self.prefixed.startswith(scheme))
        return self.storage / self.prefixed.removeprefix(scheme) / key

    def upload(self, local: Path, key: str) -> None:
        """objectstore/object_store.go, UploadBlob: files one by one, so no empty folder."""
        if not local.exists():
            raise FileNotFoundError(local)
        if not local.is_dir():
            _copy(local, self.path(key))
            return
        for entry in sorted(local.iterdir()):
            if entry.is_dir():
                self.upload(entry, f"{key}/{entry.name}")
            else:
                _copy(entry, self.path(f"{key}/{entry.name}"))

    def download(self, local: Path, key: str) -> None:
        """objectstore/object_store.go, DownloadBlob: of nothing, nothing, and no error."""
        found = self.path(key)
        files = [found] if found.is_file() else [p for p in found.rglob("*") if p.is_file()]
        for file in files:
            relative = file.relative_to(found)
            _copy(file, local / relative if file != found else local)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


# metadata ---------------------------------------------------------------------------------------


def stored(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """metadata/converter.go, StructValueToMLMDValue and toRuntimeArtifact: there and back."""

    def value(item: Any) -> Any:
        if item is None:
            raise TaskFailedError(
                "failed to convert RuntimeArtifact to MLMD artifact: unknown null"
            )
        if isinstance(item, bool):
            return int(item)
        if isinstance(item, list):
            return {"list": item}
        return {"struct": item} if isinstance(item, dict) else item

    return {name: value(item) for name, item in metadata.items()}


# the driver -------------------------------------------------------------------------------------


@dataclass
class Backend:
    """Runs a compiled pipeline, one task after the other.

    Attributes:
        storage: The folder that stands for object storage.
        scratch: Where tasks have their mounts; each is removed after its task.
        pod: What runs a task whose mounts lie in a folder.
        artifacts: By task and output what was recorded: a RuntimeArtifact in JSON.
        argument_bytes: By task the length of the argument that its command got.
    """

    storage: Path
    scratch: Path
    pod: type[ProcessPod | ContainerPod] = ProcessPod
    artifacts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    argument_bytes: dict[str, int] = field(default_factory=dict)

    def run(self, text: str) -> str:
        """Run every task in order and return the run's root.

        Raises:
            TaskFailedError: A task did; what comes after it does not run.
        """
        document = next(iter(yaml.safe_load_all(text)))
        spec = json_format.ParseDict(document, pb.PipelineSpec())
        # driver/driver.go, RootDAG, and metadata/client.go, GetPipeline
        root = generate_output_uri(
            spec.default_pipeline_root, [spec.pipeline_info.name, str(uuid.uuid4())]
        )
        tasks = spec.root.dag.tasks
        order = TopologicalSorter({name: task.dependent_tasks for name, task in tasks.items()})
        for name in order.static_order():
            component = spec.components[tasks[name].component_ref.name]
            executors = json_format.MessageToDict(spec.deployment_spec)["executors"]
            executor = executors[component.executor_label]
            if "importer" in executor:
                self._import(name, tasks[name], component, executor["importer"])
            else:
                self._execute(root, tasks[name], component, executor["container"])
        return root

    def _import(
        self,
        name: str,
        task: pb.PipelineTaskSpec,
        component: pb.ComponentSpec,
        importer: Mapping[str, Any],
    ) -> None:
        """component/importer_launcher.go, ImportSpecToMLMDArtifact: nothing is looked at."""
        uri = task.inputs.parameters["uri"].runtime_value.constant.string_value
        assert uri == importer["artifactUri"]["constant"], name
        (output,) = component.output_definitions.artifacts
        self._record(name, output, {"uri": uri, "metadata": importer.get("metadata", {})})

    def _record(self, task: str, output: str, artifact: Mapping[str, Any]) -> None:
        self.artifacts[task, output] = {
            **artifact,
            "name": str(len(self.artifacts) + 1),
            "metadata": stored(artifact.get("metadata", {})),
        }

    def _execute(
        self,
        root: str,
        task: pb.PipelineTaskSpec,
        component: pb.ComponentSpec,
        container: Mapping[str, Any],
    ) -> None:
        """driver/container.go, Container, then component/launcher_v2.go, Execute."""
        name = task.task_info.name
        executor_input = self.executor_input(root, task, component)
        folder = self.scratch / name
        folder.mkdir(parents=True)
        launcher = Launcher(Bucket(self.storage, root), self.pod(folder))
        (told,) = launcher.placeholders(executor_input).values()
        self.argument_bytes[name] = len(told.encode())
        made = launcher.execute(executor_input, container)
        shutil.rmtree(folder)
        for output, artifact in made.items():
            self._record(name, output, artifact)

    def executor_input(
        self, root: str, task: pb.PipelineTaskSpec, component: pb.ComponentSpec
    ) -> pb.ExecutorInput:
        """driver/resolve.go, resolveInputs, and driver/driver.go, provisionOutputs."""
        message = pb.ExecutorInput()
        for name, declared in component.input_definitions.parameters.items():
            given = task.inputs.parameters.get(name)
            if given is not None:
                message.inputs.parameter_values[name].CopyFrom(given.runtime_value.constant)
            elif declared.HasField("default_value"):  # component/launcher_v2.go adds it
                message.inputs.parameter_values[name].CopyFrom(declared.default_value)
            elif not declared.is_optional:
                raise TaskFailedError(
                    f"neither value nor default value provided for non-optional parameter {name!r}"
                )
        for name, given in task.inputs.artifacts.items():
            ref = given.task_output_artifact
            artifact = self.artifacts.get((ref.producer_task, ref.output_artifact_key))
            if artifact is None:
                raise TaskFailedError(
                    f"cannot find output artifact key {ref.output_artifact_key!r}"
                )
            json_format.ParseDict(artifact, message.inputs.artifacts[name].artifacts.add())
        salt = str(uuid.uuid4())
        for name, output in component.output_definitions.artifacts.items():
            artifact = message.outputs.artifacts[name].artifacts.add()
            artifact.uri = generate_output_uri(root, [task.task_info.name, salt, name])
            artifact.type.CopyFrom(output.artifact_type)
        message.outputs.output_file = OUTPUT_FILE
        return message


# the launcher -----------------------------------------------------------------------------------


@dataclass
class Launcher:
    """component/launcher_v2.go, LauncherV2."""

    bucket: Bucket
    pod: Pod

    def execute(
        self, executor_input: pb.ExecutorInput, container: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """executeV2 and execute: download, run, read, upload. After a failure nothing is kept."""
        placeholders = self.placeholders(executor_input)
        self.download(executor_input)
        for artifacts in executor_input.outputs.artifacts.values():  # prepareOutputFolders
            for artifact in artifacts.artifacts:
                local = self.pod.mount(local_path_for_uri(artifact.uri))
                local.parent.mkdir(parents=True, exist_ok=True)
        command = [*container.get("command", []), *container.get("args", [])]
        for placeholder, replacement in placeholders.items():
            command = [item.replace(placeholder, replacement) for item in command]
        environment = {item["name"]: item.get("value", "") for item in container.get("env", [])}
        code = self.pod.run(container["image"], command, environment)
        if code != 0:
            raise TaskFailedError(f"failed to execute component: exit status {code}")
        return self.upload(executor_input, self.executor_output(executor_input))

    def placeholders(self, executor_input: pb.ExecutorInput) -> dict[str, str]:
        """getPlaceholders, as far as our components use them: the whole input."""
        # protojson leaves out some of these spaces, at random.
        return {"{{$}}": json_format.MessageToJson(executor_input, indent=None)}

    def download(self, executor_input: pb.ExecutorInput) -> None:
        """downloadArtifacts: the first of every list, from whichever bucket it lies in."""
        for artifacts in executor_input.inputs.artifacts.values():
            uri = artifacts.artifacts[0].uri
            if not uri.startswith(SCHEMES):
                sys.stderr.write(f"{uri} is no recognized storage URI: not downloaded\n")
                continue
            local = self.pod.mount(local_path_for_uri(uri))
            bucket = self.bucket
            if not uri.startswith(bucket.prefixed):
                scheme, _, rest = uri.partition("://")  # ParseBucketConfigForArtifactURI
                bucket = Bucket(bucket.storage, f"{scheme}://{rest.partition('/')[0]}")
            bucket.download(local, bucket.key_from_uri(uri))

    def executor_output(self, executor_input: pb.ExecutorInput) -> pb.ExecutorOutput:
        """getExecutorOutputFile: absent is empty, unknown keys fail."""
        path = self.pod.mount(executor_input.outputs.output_file)
        message = pb.ExecutorOutput()
        if not path.exists():
            return message
        try:
            json_format.Parse(path.read_text(), message)
        except json_format.ParseError as error:
            raise TaskFailedError(
                f"failed to unmarshall ExecutorOutput in file {path}: {error}"
            ) from None
        return message

    def upload(
        self, executor_input: pb.ExecutorInput, executor_output: pb.ExecutorOutput
    ) -> dict[str, dict[str, Any]]:
        """uploadOutputArtifacts and mergeRuntimeArtifacts: what was not written is no error."""
        made: dict[str, dict[str, Any]] = {}
        for name, artifacts in executor_input.outputs.artifacts.items():
            artifact = artifacts.artifacts[0]
            if name in executor_output.artifacts and executor_output.artifacts[name].artifacts:
                own = executor_output.artifacts[name].artifacts[0]
                artifact.uri = own.uri or artifact.uri
                artifact.metadata.MergeFrom(own.metadata)
            if artifact.uri.startswith(SCHEMES):
                local = self.pod.mount(local_path_for_uri(artifact.uri))
                key = self.bucket.key_from_uri(artifact.uri)
                try:
                    self.bucket.upload(local, key)
                except FileNotFoundError:
                    sys.stderr.write(f"Local filepath {local} does not exist\n")
            else:
                sys.stderr.write(f"{artifact.uri} is no recognized storage URI: not uploaded\n")
            metadata = json_format.MessageToDict(artifact.metadata)
            made[name] = {"uri": artifact.uri, "metadata": stored(metadata)}
        return made
