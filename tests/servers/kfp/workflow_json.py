"""A run's Workflow as Argo keeps it, in bytes: what the compiler writes, what each node repeats.

Follows the recorded Workflows of four versions, text for text where sizes come from; what never
differs by much (times, resources, hashes) has the length that it had there. Of Argo it has
``util/file`` (gzip, then base64) and ``workflow/packer``: above the limit nodes are kept compressed.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.kfp.releases import Release
from tests.servers.kfp.workflow import Node, Workflow

LIMIT_BYTES = 1 << 20
"""What Argo writes of one Workflow, unless its controller is told otherwise."""


def compact(value: object) -> str:
    """Return JSON as Go's encoding/json writes it."""
    return json.dumps(_plain(value), separators=(",", ":"), sort_keys=True)


def _plain(value: Any) -> Any:
    """Return the same with whole numbers as such, which Go writes without a point."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass
class WorkflowJson:
    """The Workflow of one run.

    Attributes:
        release: The version.
        spec: The pipeline spec.
        platform: The platform spec, or nothing.
        run: Identifier of the run.
        root: Pipeline root of its runs.
        given: By task what its driver worked out, as soon as it has.
    """

    release: Release
    spec: Mapping[str, Any]
    platform: Mapping[str, Any] = field(default_factory=dict)
    run: str = "00000000-0000-0000-0000-000000000000"
    root: str = ""
    given: Mapping[str, pb.ExecutorInput] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tasks: dict[str, Any] = self.spec["root"]["dag"]["tasks"]
        self._executors = self.spec["deploymentSpec"]["executors"]
        platform = self.platform.get("platforms", {}).get("kubernetes", {})
        self._kubernetes = platform.get("deploymentSpec", {}).get("executors", {})
        self._patches: dict[str, str] = {}
        self._lengths: dict[str, tuple[tuple[str, int], int]] = {}
        self._first: dict[str, str] = {}
        for name in sorted(self.tasks):
            self._first.setdefault(self.key(name), name)

    # texts ---------------------------------------------------------------------------------------

    def component(self, task: str) -> dict[str, Any]:
        """Return a task's own component."""
        return self.spec["components"][self.tasks[task]["componentRef"]["name"]]

    def executor(self, task: str) -> dict[str, Any]:
        """Return a task's executor."""
        return self._executors[self.component(task)["executorLabel"]]

    def key(self, task: str) -> str:
        """Return the hash of a task's container, under which its component is kept."""
        return hashlib.sha256(compact(self.executor(task)).encode()).hexdigest()

    def shared(self, task: str) -> dict[str, Any]:
        """Return the component spec that is kept for all tasks of one container."""
        return self.component(self._first[self.key(task)])

    def config(self, task: str) -> dict[str, Any]:
        """Return what the platform spec says of a task's container."""
        return self._kubernetes.get(self.component(task)["executorLabel"], {})

    def patch(self, task: str) -> str:
        """Return the pod-spec-patch that the driver hands on."""
        if task not in self._patches:
            self._patches[task] = self._patch(task)
        return self._patches[task]

    def _patch(self, task: str) -> str:
        container = self.executor(task)["container"]
        given = json_format.MessageToDict(self.given[task])
        component = json.loads(json.dumps(self.shared(task)))
        logs = {"artifactType": {"schemaTitle": "system.Artifact"}}
        component.setdefault("outputDefinitions", {}).setdefault("artifacts", {})[
            "executor-logs"
        ] = logs
        ports = ["--pod_name", "$(KFP_POD_NAME)", "--pod_uid", "$(KFP_POD_UID)"]
        places = ["$(METADATA_GRPC_SERVICE_HOST)", "$(METADATA_GRPC_SERVICE_PORT)"]
        if self.release.numbered_logs:
            server = "ml-pipeline.kubeflow.svc.cluster.local"
            ports += ["--ml_pipeline_server_address", server, "--ml_pipeline_server_port", "8887"]
            places = ["metadata-grpc-service.kubeflow.svc.cluster.local", "8080"]
        command = [
            "/kfp-launcher/launch", "--pipeline_name", self.spec["pipelineInfo"]["name"],
            "--run_id", self.run, "--execution_id", str(10 + sorted(self.tasks).index(task)),
            "--executor_input", self._proto(given), "--component_spec", self._proto(component), *ports,
            "--mlmd_server_address", places[0], "--mlmd_server_port", places[1],
            *(["--publish_logs", "true"] * 2), "--",
        ]  # fmt: skip
        resources = {key: {"cpu": "1", "memory": "4G"} for key in ("limits", "requests")}
        main = {
            "name": "main", "image": container["image"], "command": command,
            "args": [*container.get("command", []), *container.get("args", [])],
            "resources": resources,
        }  # fmt: skip
        pod = {"containers": [main], "activeDeadlineSeconds": 4200}
        return json.dumps(pod, separators=(",", ":"))

    def _proto(self, message: object) -> str:
        """Return JSON as protojson writes it: with or without spaces, by the build of the driver."""
        comma = ", " if self.release.spaced_json else ","
        return json.dumps(_plain(message), separators=(comma, ":"))

    # the status -----------------------------------------------------------------------------------

    def nodes(self, workflow: Workflow) -> dict[str, Any]:
        """Return the nodes of the status, by identifier."""
        patches = {task: self.patch(task) for task in self.given if task in workflow.tasks}
        return {
            workflow.id_of(node.name): self._node(workflow, node, patches)
            for node in workflow.nodes.values()
        }

    def _node(self, workflow: Workflow, node: Node, patches: Mapping[str, str]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "displayName": node.display_name,
            "id": workflow.id_of(node.name),
            "name": node.name,
            "phase": node.phase,
            "type": node.type,
            **_varying(node.name),
            "templateScope": f"local/{workflow.name}",
        }
        if node.boundary:
            made["boundaryID"] = workflow.id_of(node.boundary)
        if node.children:
            made["children"] = [workflow.id_of(name) for name in node.children]
        if node.type == "DAG":
            made["outboundNodes"] = [workflow.id_of(node.name)]
        if node.name.endswith(")") and node.type != "Retry":
            made["nodeFlag"] = {"retried": True}
            if self.release.retries_every_template and node.type == "Pod":
                made["taskResultSynced"] = True
        if node.type == "Skipped":
            return made
        kind, task = self._kind(workflow, node)
        made["templateName"] = self.template(kind, task)
        inputs, outputs = self._parameters(kind, task, patches)
        if inputs:
            made["inputs"] = {"parameters": inputs}
        if node.type == "Pod" or (
            node.type == "Retry" and kind not in ("entrypoint", "root", "graph")
        ):
            place = "private-artifacts/kubeflow" if self.release.numbered_logs else "artifacts"
            number = workflow.id_of(node.name).rpartition("-")[2]
            day = f"{place}/{workflow.name}/2026/11/26/{workflow.name}"
            key = f"{day}-{made['templateName']}-{number}/main.log"
            made["outputs"] = {
                "artifacts": [{"name": "main-logs", "s3": {"key": key}}],
                "exitCode": "0",
            }
            if outputs:
                made["outputs"]["parameters"] = outputs
        return made

    def _kind(self, workflow: Workflow, node: Node) -> tuple[str, str]:
        name = node.display_name.partition("(")[0]
        if node.name in (workflow.name, workflow.entrypoint):
            return "entrypoint", ""
        if name in ("root", "root-driver") and node.boundary == workflow.entrypoint:
            return name, ""
        if name == "executor":
            graph = node.boundary.rpartition(".")[2].partition("(")[0]
            return "executor", graph
        if name in workflow.tasks:
            return ("importer" if workflow.tasks[name].importer else "graph"), name
        return "driver", name.removesuffix("-driver")

    def template(self, kind: str, task: str) -> str:
        """Return the name of the template of a node."""
        fixed = {
            "entrypoint": "entrypoint", "root": "root", "root-driver": "system-dag-driver",
            "importer": "system-importer", "driver": "system-container-driver",
        }  # fmt: skip
        if kind in fixed:
            return fixed[kind]
        prefix = task if self.release.templates_per_task else "retry"
        if "retryPolicy" not in self.tasks[task]:
            prefix = ""
        return f"{prefix}-system-container-{'impl' if kind == 'executor' else 'executor'}".strip(
            "-"
        )

    def _parameters(
        self, kind: str, task: str, patches: Mapping[str, str]
    ) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
        def given(**values: str) -> list[dict[str, str]]:
            return [
                {"name": name.replace("_", "-"), "value": value} for name, value in values.items()
            ]

        named = {} if self.release.templates_per_task else {"task_name": task}
        condition = _output("condition", "nil", "true")
        if kind == "root":
            return given(parent_dag_id="1"), []
        if kind == "root-driver":
            runtime = compact({"gcsOutputDirectory": self.root})
            inputs = given(component=compact(self.spec["root"]))
            inputs += _defaults(
                runtime_config=(runtime, ""), task=("", ""), **dict.fromkeys(named, ("", "")),
                parent_dag_id=("0", "0"), iteration_index=("-1", "-1"),
                driver_type=("ROOT_DAG", "DAG"),
            )  # fmt: skip
            execution = {
                "name": "execution-id",
                "value": "1",
                "valueFrom": {"path": "/tmp/outputs/execution-id"},
            }
            return inputs, [execution, _output("iteration-count", "0", "0"), condition]
        if kind == "importer":
            importer = compact(self.executor(task)["importer"])
            component = compact(self.component(task))
            own = compact(self.tasks[task])
            return given(task=own, component=component, importer=importer, parent_dag_id="1"), []
        if kind == "driver":
            container = compact(self.executor(task)["container"])
            inputs = given(
                component=compact(self.shared(task)), task=compact(self.tasks[task]),
                container=container, **named, parent_dag_id="1",
            )  # fmt: skip
            config = compact(self.config(task)) if self.config(task) else ""
            inputs += _defaults(iteration_index=("-1", "-1"), kubernetes_config=(config, ""))
            patch = _output("pod-spec-patch", patches.get(task, ""), "")
            return inputs, [patch, _output("cached-decision", "false", "false"), condition]
        if kind in ("graph", "executor"):
            inputs = given(pod_spec_patch=patches.get(task, ""))
            if kind == "graph":
                inputs.append({"default": "false", "name": "cached-decision", "value": "false"})
            return inputs + self.retry_parameters(task, default=kind == "graph"), []
        return [], []

    def retry_parameters(self, task: str, *, default: bool) -> list[dict[str, str]]:
        """Return what templates that are shared are told of a task's retry policy."""
        policy = self.tasks[task].get("retryPolicy")
        if not policy or self.release.templates_per_task:
            return []
        values = {
            "retry-max-count": str(policy["maxRetryCount"]),
            "retry-backoff-duration": policy["backoffDuration"].removesuffix("s"),
            "retry-backoff-factor": f"{policy['backoffFactor']:g}",
            "retry-backoff-max-duration": policy["backoffMaxDuration"].removesuffix("s"),
        }
        zero = {"default": "0"} if default else {}
        return [{**zero, "name": name, "value": value} for name, value in values.items()]

    # sizes ----------------------------------------------------------------------------------------

    def status_bytes(self, workflow: Workflow) -> int:
        """Return how long the nodes are; those that are as they were are not written again."""
        patches = {task: self.patch(task) for task in self.given if task in workflow.tasks}
        length = 2
        for node in workflow.nodes.values():
            state = (node.phase, len(node.children))
            known = self._lengths.get(node.name)
            if known is None or known[0] != state:
                text = compact(self._node(workflow, node, patches))
                self._lengths[node.name] = known = (state, len(text))
            length += len(workflow.id_of(node.name)) + len('"":,') + known[1]
        return length

    def compressed_bytes(self, workflow: Workflow) -> int:
        """Return how long they are once Argo has compressed them."""
        data = gzip.compress(compact(self.nodes(workflow)).encode(), 9)
        return len(base64.b64encode(data))


def _varying(name: str) -> dict[str, Any]:
    """Return what says when and how long, different at each node as in a real run."""
    luck = hashlib.sha256(name.encode()).digest()
    second = f"{luck[0] % 60:02}"
    return {
        "startedAt": f"2026-11-26T08:{luck[1] % 60:02}:{second}Z",
        "finishedAt": f"2026-11-26T08:{luck[2] % 60:02}:{luck[3] % 60:02}Z",
        "progress": "1/1" if luck[4] % 2 else f"{luck[5] % 28}/28",
        "resourcesDuration": {"cpu": luck[6] % 64, "memory": luck[7] * luck[8] % 2800},
    }


def _output(name: str, value: str, default: str) -> dict[str, Any]:
    place = {"default": default, "path": f"/tmp/outputs/{name}"}
    return {"name": name, "value": value, "valueFrom": place}


def _defaults(**values: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"default": default, "name": name.replace("_", "-"), "value": value}
        for name, (value, default) in values.items()
    ]
