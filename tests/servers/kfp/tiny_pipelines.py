"""Small pipelines for tests of the emulation itself: stages after one another, without our components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.gcs.server import GcsServer
from tests.servers.kfp.executing import Executing, Faults, Planned
from tests.servers.kfp.pods import Pod
from tests.servers.kfp.server import KfpServer

ROOT = "gs://bucket/root"


def spec_of(
    tasks: Mapping[str, Sequence[str]],
    *,
    retries: int = 2,
    cached: bool = True,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    declared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a pipeline whose tasks have one output each, and read those of the tasks they need.

    Args:
        tasks: By name the tasks that come before; ``source`` is an importer.
        retries: Of each task's own policy.
        cached: Whether results may be taken from an earlier run.
        parameters: By task what it is given.
        declared: The parameters that components declare.
    """
    artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
    components: dict[str, Any] = {}
    executors: dict[str, Any] = {}
    made: dict[str, Any] = {}
    for name, needs in tasks.items():
        outputs = {"artifacts": {"made": artifact}}
        component: dict[str, Any] = {"executorLabel": f"exec-{name}", "outputDefinitions": outputs}
        task: dict[str, Any] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": f"comp-{name}"},
            "cachingOptions": {"enableCache": True} if cached else {},
            "dependentTasks": list(needs),
        }
        if name == "source":
            executors[f"exec-{name}"] = {"importer": {"artifactUri": {"constant": f"{ROOT}/in"}}}
        else:
            container = {"image": "i", "command": ["run"], "args": ["{{$}}"]}
            executors[f"exec-{name}"] = {"container": container}
            flows = {n: _flow(n) for n in needs}
            given = (parameters or {}).get(name, {})
            values = {n: {"runtimeValue": {"constant": v}} for n, v in given.items()}
            task["inputs"] = {"artifacts": flows, "parameters": values}
            component["inputDefinitions"] = {
                "artifacts": dict.fromkeys(needs, artifact),
                "parameters": dict(declared or {}),
            }
            task["retryPolicy"] = {
                "maxRetryCount": retries, "backoffDuration": "5s",
                "backoffFactor": 2, "backoffMaxDuration": "3600s",
            }  # fmt: skip
        components[f"comp-{name}"] = component
        made[name] = {key: value for key, value in task.items() if value}
    return {
        "pipelineInfo": {"name": "small"},
        "components": components,
        "deploymentSpec": {"executors": executors},
        "root": {"dag": {"tasks": made}},
        "defaultPipelineRoot": ROOT,
    }


def _flow(task: str) -> dict[str, Any]:
    return {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": "made"}}


@dataclass
class WritingPod(Pod):
    """Writes one file as a step's output, prints a line, and exits as planned."""

    task: str
    codes: dict[str, list[int]]

    def run(
        self, image: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> int:
        left = self.codes.get(self.task)
        code = left.pop(0) if left else 0
        log.write_text(f"{self.task} ends with {code}\n")
        told = json_format.Parse(command[-1], pb.ExecutorInput())
        uri = told.outputs.artifacts["made"].artifacts[0].uri
        path = self.mount(uri.replace("gs://", "/gcs/"))
        if code == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.task)
        return code


@dataclass
class Small:
    """A server of a version with its cluster, and pipelines submitted to it."""

    version: str
    faults: Faults = field(default_factory=Planned)
    codes: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kfp = KfpServer(version=self.version)
        self.gcs = GcsServer()
        self.gcs.bucket("bucket")
        self.cluster = Executing(
            self.kfp,
            self.gcs,
            lambda folder, task: WritingPod(folder, task, self.codes),
            self.faults,
        )

    def submit(self, spec: Mapping[str, Any], name: str = "one") -> str:
        """Start a run and return its identifier."""
        backend = self.kfp.backend
        pipeline = backend.create_pipeline({"name": f"small-{len(backend.pipelines)}"})
        text = yaml.safe_dump(dict(spec)).encode()
        version = backend.upload_version(pipeline["pipeline_id"], "v", text, {})
        reference = {key: version[key] for key in ("pipeline_id", "pipeline_version_id")}
        body = {
            "display_name": name,
            "pipeline_version_reference": reference,
            "runtime_config": {"pipeline_root": ROOT},
        }
        return backend.create_run(body)["run_id"]

    def objects(self, run: str) -> list[str]:
        """Return the objects of a run, without what is random in their names."""
        found: list[str] = []
        for name in sorted(self.gcs.bucket("bucket").objects):
            parts = name.split("/")
            if len(parts) == 6 and parts[2] == run:
                found.append(f"{parts[3]}/{parts[5]}")
        return found

    def states(self, run: str) -> dict[str, str | None]:
        """Return the state of each row that has a name, of pods of one name the last told."""
        rows = self.kfp.backend.runs[run]["run_details"]["task_details"]
        return {row["display_name"]: row.get("state") for row in rows if "display_name" in row}
