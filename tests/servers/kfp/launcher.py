"""What Kubeflow's launcher does around a step: download, fill in, run, read, upload, publish.

It follows ``component/launcher_v2.go`` of kubeflow/pipelines, line by line where outputs are kept or
lost; each function names the Go function that it follows. The versions differ as ``releases.py``
says. A step runs in a ``Pod`` (``pods.py``), storage is ``object_storage.py``'s.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.kfp.driver import LOGS, stored
from tests.servers.kfp.faults import TaskFailedError
from tests.servers.kfp.object_storage import SCHEMES, Bucket, local_path_for_uri
from tests.servers.kfp.pods import Pod
from tests.servers.kfp.releases import NEWEST, RELEASES, Release

METADATA_BYTES = 4 << 20
"""What ML Metadata takes in one message (gRPC's default)."""


@dataclass
class Launcher:
    """component/launcher_v2.go, LauncherV2, for one attempt of a step.

    Attributes:
        bucket: Where it may write.
        pod: What runs the step.
        release: The version.
        component: What ``--component_spec`` says.
        attempt: 0 for the first.
    """

    bucket: Bucket
    pod: Pod
    release: Release = field(default_factory=lambda: RELEASES[NEWEST])
    component: pb.ComponentSpec = field(default_factory=pb.ComponentSpec)
    attempt: int = 0

    def execute(
        self, executor_input: pb.ExecutorInput, container: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """executeV2 and execute: of a step that fails its log alone is kept, if that.

        Raises:
            TaskFailedError: The step failed, or what is around it did.
        """
        if self.release.numbered_logs and LOGS in executor_input.outputs.artifacts:
            logs = executor_input.outputs.artifacts[LOGS].artifacts[0]
            logs.uri = f"{logs.uri}-{self.attempt}"  # qualifyExecutorLogsURI
        command = [*container.get("command", []), *container.get("args", [])]
        for placeholder, replacement in self.placeholders(executor_input).items():
            command = [item.replace(placeholder, replacement) for item in command]
        if any(len(item.encode()) >= self.release.argument_bytes for item in command):
            raise TaskFailedError("fork/exec: argument list too long")
        self.download(executor_input)
        for artifacts in executor_input.outputs.artifacts.values():  # prepareOutputFolders
            for artifact in artifacts.artifacts:
                local = self.pod.mount(local_path_for_uri(artifact.uri))
                local.parent.mkdir(parents=True, exist_ok=True)
        environment = {item["name"]: item.get("value", "") for item in container.get("env", [])}
        log = self.pod.mount(self.log_path(executor_input))
        code = self.pod.run(container["image"], command, environment, log)
        if code != 0:
            if self.release.logs_of_failures and LOGS in executor_input.outputs.artifacts:
                self._upload(LOGS, executor_input.outputs.artifacts[LOGS].artifacts[0])
            raise TaskFailedError(f"failed to execute component: exit status {code}")
        return self.upload(executor_input, self.executor_output(executor_input))

    def log_path(self, executor_input: pb.ExecutorInput) -> str:
        """getLogWriter: what the step prints goes to the pod's log and to this file."""
        artifacts = executor_input.outputs.artifacts
        if LOGS not in artifacts:
            return "/tmp/log"
        return local_path_for_uri(artifacts[LOGS].artifacts[0].uri)

    def placeholders(self, executor_input: pb.ExecutorInput) -> dict[str, str]:
        """getPlaceholders, as far as our components use them: the whole input, with defaults."""
        whole = pb.ExecutorInput()
        whole.CopyFrom(executor_input)
        for name, declared in self.component.input_definitions.parameters.items():
            if declared.HasField("default_value") and name not in whole.inputs.parameter_values:
                whole.inputs.parameter_values[name].CopyFrom(
                    declared.default_value
                )  # addDefaultParams
        # protojson leaves out some of these spaces, at random.
        return {"{{$}}": json_format.MessageToJson(whole, indent=None)}

    def download(self, executor_input: pb.ExecutorInput) -> None:
        """downloadArtifacts: from whichever bucket they lie in; of a list the first alone up to 2.5."""
        for artifacts in executor_input.inputs.artifacts.values():
            listed = artifacts.artifacts
            for artifact in listed if self.release.downloads_whole_lists else listed[:1]:
                self._download(artifact.uri)

    def _download(self, uri: str) -> None:
        if not uri.startswith(SCHEMES):
            sys.stderr.write(f"{uri} is no recognized storage URI: not downloaded\n")
            return
        local = self.pod.mount(local_path_for_uri(uri))
        bucket = self.bucket
        if not uri.startswith(bucket.prefixed):
            scheme, _, rest = uri.partition("://")  # ParseBucketConfigForArtifactURI
            bucket = Bucket(bucket.storage, f"{scheme}://{rest.partition('/')[0]}", bucket.moved)
        siblings = self.release.download_takes_siblings
        bucket.download(local, bucket.key_from_uri(uri), siblings=siblings)

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
            told = executor_output.artifacts
            if name != LOGS and name in told and told[name].artifacts:
                own = told[name].artifacts[0]
                artifact.uri = own.uri or artifact.uri
                artifact.metadata.MergeFrom(own.metadata)
            if not self._upload(name, artifact) and name == LOGS:
                continue
            if artifact.ByteSize() > METADATA_BYTES:
                raise TaskFailedError(
                    f'unable to produce MLMD artifact for output "{name}": rpc error: code = '
                    f"ResourceExhausted desc = grpc: received message larger than max "
                    f"({artifact.ByteSize()} vs. {METADATA_BYTES})"
                )
            metadata = json_format.MessageToDict(artifact.metadata)
            kind = artifact.type.schema_title
            made[name] = {"uri": artifact.uri, "metadata": stored(metadata), "kind": kind}
        return made

    def _upload(self, name: str, artifact: Any) -> bool:
        """Upload one artifact; False where it was not written, or its address is no bucket's."""
        if not artifact.uri.startswith(SCHEMES):
            sys.stderr.write(f"{artifact.uri} is no recognized storage URI: not uploaded\n")
            return False
        local = self.pod.mount(local_path_for_uri(artifact.uri))
        key = self.bucket.key_from_uri(artifact.uri)
        try:
            self.bucket.upload(local, key)
        except FileNotFoundError:
            if name != LOGS:
                sys.stderr.write(f"Local filepath {local} does not exist\n")
            return False
        return True
