"""What the driver does before a step runs: its input, its cache entry, what ML Metadata keeps.

kubeflow/pipelines ``backend/src/v2``: ``driver/``, ``metadata/``, ``cacheutils/cache.go``,
``compiler/argocompiler/argo.go``; the versions differ as ``releases.py`` says.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.kfp.faults import TaskFailedError
from tests.servers.kfp.object_storage import generate_output_uri
from tests.servers.kfp.releases import Release

LOGS = "executor-logs"
OUTPUT_FILE = "/tmp/kfp_outputs/output_metadata.json"
_KINDS = {
    "string_value": ("string", {"STRING"}),
    "number_value": ("number", {"NUMBER_DOUBLE", "NUMBER_INTEGER"}),
    "bool_value": ("bool", {"BOOLEAN"}),
    "list_value": ("list", {"LIST"}),
    "struct_value": ("struct", {"STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG"}),
}


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


@dataclass
class Metadata:
    """ML Metadata: artifacts with the identifiers that are their names from then on.

    Attributes:
        records: Each artifact, a RuntimeArtifact in JSON, by its name.
    """

    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def record(self, output: str, artifact: Mapping[str, Any]) -> dict[str, Any]:
        """metadata/client.go, RecordArtifact: it is shown under its output's name if it has none."""
        metadata = {"display_name": output, **artifact.get("metadata", {})}
        return self._keep(artifact, metadata)

    def import_artifact(self, artifact: Mapping[str, Any], *, again: bool) -> dict[str, Any]:
        """component/importer_launcher.go: what is there under address and metadata is taken again."""
        metadata = stored(artifact.get("metadata", {})) | _session(artifact["uri"])
        for known in self.records.values():
            same = (known["uri"], known["metadata"]) == (artifact["uri"], metadata)
            if same and not again and known.get("kind") == artifact.get("kind"):
                return known
        return self._keep(artifact, artifact.get("metadata", {}))

    def _keep(self, artifact: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
        made = {
            **artifact,
            "name": str(len(self.records) + 1),
            "metadata": stored(metadata) | _session(artifact["uri"]),
        }
        self.records[made["name"]] = made
        return made


def _session(uri: str) -> dict[str, str]:
    """objectstore/config.go: how the artifact's store is reached."""
    provider = uri.partition("://")[0]
    if provider not in ("gs", "s3", "minio"):
        return {}
    return {"store_session_info": f'{{"Provider":"{provider}","Params":{{"fromEnv":"true"}}}}'}


def component_specs(spec: pb.PipelineSpec) -> dict[str, pb.ComponentSpec]:
    """Return by task the component spec that its driver and launcher are given.

    argocompiler/argo.go, saveComponentSpec, keeps them under the hash of their container: of several
    components with one container the first wins.
    """
    executors = json_format.MessageToDict(spec.deployment_spec).get("executors", {})
    kept: dict[str, pb.ComponentSpec] = {}
    made: dict[str, pb.ComponentSpec] = {}
    for name in sorted(spec.root.dag.tasks):
        component = spec.components[spec.root.dag.tasks[name].component_ref.name]
        key = json.dumps(executors.get(component.executor_label, {}), sort_keys=True)
        made[name] = kept.setdefault(key, component)
    return made


@dataclass
class Driver:
    """Works out what the steps of one run are given.

    Attributes:
        release: The version.
        spec: The pipeline.
        root: Address of the run's folder.
        metadata: Of the installation.
        made: By task and output the artifact.
    """

    release: Release
    spec: pb.PipelineSpec
    root: str
    metadata: Metadata
    made: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.components = component_specs(self.spec)
        self.executors = json_format.MessageToDict(self.spec.deployment_spec).get("executors", {})

    def task(self, name: str) -> pb.PipelineTaskSpec:
        return self.spec.root.dag.tasks[name]

    def own_component(self, name: str) -> pb.ComponentSpec:
        """Return the component that the pipeline names for a task."""
        return self.spec.components[self.task(name).component_ref.name]

    def executor(self, name: str) -> dict[str, Any]:
        return self.executors[self.own_component(name).executor_label]

    def import_(self, name: str) -> None:
        """Carry out an importer: nothing is looked at (ImportSpecToMLMDArtifact)."""
        importer = self.executor(name)["importer"]
        ((output, kind),) = self.own_component(name).output_definitions.artifacts.items()
        self.made[name, output] = self.metadata.import_artifact(
            {
                "uri": importer["artifactUri"]["constant"],
                "metadata": importer.get("metadata", {}),
                "kind": kind.artifact_type.schema_title,
            },
            again=bool(importer.get("reimport")),
        )

    def executor_input(self, name: str) -> pb.ExecutorInput:
        """driver/resolve.go, resolveInputs, and driver/driver.go, provisionOutputs.

        Raises:
            TaskFailedError: A parameter is missing or of another type, or an artifact is not there.
        """
        task, component = self.task(name), self.components[name]
        message = pb.ExecutorInput()
        values = message.inputs.parameter_values
        for given, parameter in task.inputs.parameters.items():
            values[given].CopyFrom(self._value(parameter))
        for declared, parameter in component.input_definitions.parameters.items():
            self._check(declared, parameter, values)
        for port, given in task.inputs.artifacts.items():
            ref = given.task_output_artifact
            artifact = self.made.get((ref.producer_task, ref.output_artifact_key))
            if artifact is None:
                raise TaskFailedError(
                    f"cannot find output artifact key {ref.output_artifact_key!r}"
                )
            one = message.inputs.artifacts[port].artifacts.add()
            one.name, one.uri = artifact["name"], artifact["uri"]
            one.type.instance_schema = ""
            one.metadata.update(artifact["metadata"])
        salt = str(uuid.uuid4())
        outputs = dict(component.output_definitions.artifacts.items())
        outputs[LOGS] = pb.ComponentOutputsSpec.ArtifactSpec()
        outputs[LOGS].artifact_type.schema_title = "system.Artifact"
        for output in sorted(outputs):
            one = message.outputs.artifacts[output].artifacts.add()
            one.uri = generate_output_uri(self.root, [name, salt, output])
            one.type.CopyFrom(outputs[output].artifact_type)
            if self.release.named_outputs:
                one.name = output
        message.outputs.output_file = OUTPUT_FILE
        if self.release.output_file_in_root:
            place = f"{self.root.replace('gs://', '/gcs/', 1)}/{name}/{salt}"
            message.outputs.output_file = f"{place}/output_metadata.json"
        return message

    def _value(self, parameter: Any) -> Any:
        """Return a constant; a pipeline's own parameter has its default, for nobody gives another."""
        if parameter.component_input_parameter:
            declared = self.spec.root.input_definitions.parameters
            return declared[parameter.component_input_parameter].default_value
        return parameter.runtime_value.constant

    def _check(self, name: str, declared: Any, values: Any) -> None:
        """driver/resolve.go, handleParamTypeValidationAndConversion."""
        kind = pb.ParameterType.ParameterTypeEnum.Name(declared.parameter_type)
        if name not in values:
            if not declared.is_optional and not declared.HasField("default_value"):
                raise TaskFailedError(
                    f'neither value nor default value provided for non-optional parameter "{name}"'
                )
            return
        value = values[name]
        if kind == "STRING":
            if value.WhichOneof("kind") != "string_value":
                value.string_value = json_format.MessageToJson(value, indent=None)
            return
        actual, allowed = _KINDS.get(value.WhichOneof("kind"), ("null", set[str]()))
        if actual == "null":
            raise TaskFailedError(f'got null for input parameter "{name}"')
        if kind not in allowed:
            raise TaskFailedError(
                f'input parameter "{name}" type mismatch: expect {kind}, got {actual}'
            )

    def fingerprint(self, name: str, given: pb.ExecutorInput) -> str | None:
        """cacheutils/cache.go: what makes two executions one; None where the task is not cached.

        None of the versions looks at the ``cacheKey`` of a task's caching options.
        """
        if not self.task(name).caching_options.enable_cache:
            return None
        container = self.executor(name)["container"]
        inputs = json_format.MessageToDict(given)["inputs"]
        return json.dumps(
            {
                "image": container["image"],
                "command": [*container.get("command", []), *container.get("args", [])],
                "parameters": inputs.get("parameterValues", {}),
                "artifacts": {
                    port: [artifact["name"] for artifact in listed["artifacts"]]
                    for port, listed in inputs.get("artifacts", {}).items()
                },
                "outputs": sorted(given.outputs.artifacts),
            },
            sort_keys=True,
        )
