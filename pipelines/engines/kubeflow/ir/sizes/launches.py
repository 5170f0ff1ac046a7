"""The pod of a step as its driver describes it: executor input, component, command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pipelines.engines.kubeflow.ir.component_spec import Json
from pipelines.engines.kubeflow.ir.sizes.back_end import BackEnd
from pipelines.engines.kubeflow.ir.sizes.texts import compact, number, plain, sha256, uuid

METRICS_SHOWN = 8
"""A result of metrics carries at most so many of them as metadata."""

_METRIC = "metric_of_some_name"
_SESSIONS = {
    "gs": '{"Provider":"gs","Params":{"fromEnv":"true"}}',
    "s3": (
        '{"Provider":"s3","Params":{"accessKeyKey":"accesskey","disableSSL":"true","endpoint":'
        '"seaweedfs.kubeflow.svc.cluster.local:9000","forcePathStyle":"true","fromEnv":"false",'
        '"region":"us-east-1","secretKeyKey":"secretkey","secretName":"mlpipeline-minio-artifact"}}'
    ),
}
"""How a launcher reaches a kind of storage, as it notes with every artifact."""
_LOGS: Json = {"schemaTitle": "system.Artifact"}


@dataclass(frozen=True)
class Launches:
    """What drivers say of the pods of a pipeline.

    Attributes:
        spec: The compiled pipeline.
        platform: What Kubernetes alone understands of it.
        back_end: Of which version.
    """

    spec: Json
    platform: Json
    back_end: BackEnd

    @cached_property
    def tasks(self) -> Mapping[str, Json]:
        """By name every task, steps and importers, in the order in which the server has them."""
        return dict(sorted(self.spec["root"]["dag"]["tasks"].items()))

    def component(self, task: Json) -> Json:
        """Return the component of a task as the server has it: the first of an equal container."""
        named = task["componentRef"]["name"]
        return self._kept.get(named, self.spec["components"][named])

    def executor(self, task: Json) -> Json:
        """Return the executor of a task."""
        label = self.spec["components"][task["componentRef"]["name"]]["executorLabel"]
        return self.spec["deploymentSpec"]["executors"][label]

    @cached_property
    def _kept(self) -> Mapping[str, Json]:
        """By name the component that stands for it (compiler/argocompiler, saveComponentSpec)."""
        first: dict[str, Json] = {}
        kept: dict[str, Json] = {}
        for task in self.tasks.values():
            if self.is_step(task):
                named = task["componentRef"]["name"]
                container = compact(self.executor(task)["container"])
                kept[named] = first.setdefault(container, self.spec["components"][named])
        return kept

    def kubernetes(self, task: Json) -> Json | None:
        """Return what Kubernetes alone understands of a task, if there is anything."""
        executors = self.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        named = task["componentRef"]["name"]
        return executors.get(self.spec["components"][named]["executorLabel"])

    def is_step(self, task: Json) -> bool:
        """Whether a task runs a component, and imports nothing."""
        return "container" in self.executor(task)

    @property
    def pipeline(self) -> str:
        """Name of the pipeline."""
        return self.spec["pipelineInfo"]["name"]

    @cached_property
    def run(self) -> str:
        """An identifier of a run."""
        return uuid("run", self.pipeline)

    def executor_input(self, name: str, *, complete: bool) -> Json:
        """Return what the component is told.

        Args:
            name: Of the task.
            complete: With the defaults of its component, as the component is called; without them,
                as the driver writes it.
        """
        task = self.tasks[name]
        component = self.component(task)
        artifacts: Json = {}
        for port, given in sorted(task["inputs"].get("artifacts", {}).items()):
            artifacts[port] = self._input(given["taskOutputArtifact"])
        values: dict[str, Any] = {}
        declared = component["inputDefinitions"].get("parameters", {})
        if complete:
            values |= {
                n: one["defaultValue"] for n, one in declared.items() if "defaultValue" in one
            }
        for parameter, given in task["inputs"].get("parameters", {}).items():
            values[parameter] = given["runtimeValue"]["constant"]
        inputs: Json = {"artifacts": artifacts} if artifacts else {}
        inputs["parameterValues"] = dict(sorted(values.items()))
        folder = f"{self._root}/{name}/{uuid('salt', name)}"
        definitions = {
            output: one["artifactType"]
            for output, one in component["outputDefinitions"]["artifacts"].items()
        }
        outputs = {
            output: self._output(folder, output, kind)
            for output, kind in sorted({**definitions, "executor-logs": _LOGS}.items())
        }
        file = "/tmp/kfp_outputs/output_metadata.json"  # noqa: S108 where the launcher puts it
        if self.back_end.named_outputs:
            file = f"/{folder.replace('://', '/').replace('gs/', 'gcs/', 1)}/output_metadata.json"
        return {"inputs": inputs, "outputs": {"artifacts": outputs, "outputFile": file}}

    @cached_property
    def pod_spec_patches(self) -> Mapping[str, str]:
        """By step what its driver says of its pod."""
        return {n: self._pod_spec_patch(n) for n, task in self.tasks.items() if self.is_step(task)}

    def _pod_spec_patch(self, name: str) -> str:
        task, back_end = self.tasks[name], self.back_end
        container = self.executor(task)["container"]
        definitions = self.component(task)
        outputs = {
            **definitions["outputDefinitions"]["artifacts"],
            "executor-logs": {"artifactType": _LOGS},
        }
        component = {
            "inputDefinitions": _ordered(definitions["inputDefinitions"]),
            "outputDefinitions": {"artifacts": dict(sorted(outputs.items()))},
            "executorLabel": definitions["executorLabel"],
        }
        servers = ("$(METADATA_GRPC_SERVICE_HOST)", "$(METADATA_GRPC_SERVICE_PORT)")
        more: list[str] = []
        if back_end.named_outputs:
            servers = ("metadata-grpc-service.kubeflow.svc.cluster.local", "8080")
            more = ["--ml_pipeline_server_address", "ml-pipeline.kubeflow.svc.cluster.local"]
            more += ["--ml_pipeline_server_port", "8887"]
        told = compact(plain(self.executor_input(name, complete=False)), back_end.separator)
        command = [
            "/kfp-launcher/launch", "--pipeline_name", self.pipeline, "--run_id", self.run,
            "--execution_id", number(3, "execution", name), "--executor_input", told,
            "--component_spec", compact(plain(component), back_end.separator),
            "--pod_name", "$(KFP_POD_NAME)", "--pod_uid", "$(KFP_POD_UID)", *more,
            "--mlmd_server_address", servers[0], "--mlmd_server_port", servers[1],
            "--publish_logs", "true", "--publish_logs", "true", "--",
        ]  # fmt: skip
        main: Json = {"name": "main", "image": container["image"], "command": command}
        main["args"] = [*container["command"], *container["args"]]
        if env := container.get("env"):
            main["env"] = env
        limits = {
            "cpu": container["resources"]["resourceCpuLimit"],
            "memory": container["resources"]["resourceMemoryLimit"],
        }
        main["resources"] = {"limits": limits, "requests": limits}
        kubernetes = dict(self.kubernetes(task) or {})
        kubernetes["activeDeadlineSeconds"] = int(kubernetes.get("activeDeadlineSeconds", 0))
        return compact({"containers": [main], **kubernetes})

    @property
    def _root(self) -> str:
        return f"{self.spec['defaultPipelineRoot']}/{self.pipeline}/{self.run}"

    def _output(self, folder: str, output: str, kind: Json) -> Json:
        named: Json = {"name": output} if self.back_end.named_outputs else {}
        return {"artifacts": [{**named, "type": kind, "uri": f"{folder}/{output}"}]}

    def _input(self, reference: Json) -> Json:
        """Return an artifact that a task before has made or imported."""
        producer, output = reference["producerTask"], reference["outputArtifactKey"]
        task = self.tasks[producer]
        kind = self.component(task)["outputDefinitions"]["artifacts"][output]["artifactType"]
        metadata: Json = {"display_name": producer}
        if self.is_step(task):
            uri = f"{self._root}/{producer}/{uuid('salt', producer)}/{output}"
            if _states_itself(self.executor(task)["container"]["args"], output):
                metadata = {"display_name": output, "digest": sha256(producer, output)}
                metadata["size_bytes"] = int(number(6, "size", producer, output))
            if kind["schemaTitle"] == "system.Metrics":
                metadata |= _metrics(producer)
        else:
            importer = cast("Json", self.executor(task)["importer"])
            uri, metadata = importer["artifactUri"]["constant"], dict(importer["metadata"])
        kind_of_storage = "gs" if uri.startswith("gs://") else "s3"
        metadata["store_session_info"] = _SESSIONS[kind_of_storage]
        item = {
            "name": number(3, producer, output),
            "type": {"instanceSchema": ""},
            "uri": uri,
            "metadata": dict(sorted(metadata.items())),
        }
        return {"artifacts": [item]}


def _states_itself(arguments: list[str], output: str) -> bool:
    """Whether the metadata of an output say what it holds, as those of results do not."""
    if "--result" not in arguments:
        return True
    beside = arguments[arguments.index("--beside") :] if "--beside" in arguments else []
    return output in beside


def _metrics(task: str) -> Json:
    return {
        f"{_METRIC}{place}": float(f"0.{number(16, task, str(place))}")
        for place in range(METRICS_SHOWN)
    }


def _ordered(definitions: Json) -> Json:
    return {side: dict(sorted(content.items())) for side, content in definitions.items() if content}
