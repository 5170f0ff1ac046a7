"""A compiled pipeline carried out task after task, without a server: driver and launcher alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.kfp.driver import LOGS, Driver, Metadata
from tests.servers.kfp.launcher import Launcher
from tests.servers.kfp.object_storage import (
    Bucket,
    FolderStorage,
    Moved,
    generate_output_uri,
    remove_folder,
)
from tests.servers.kfp.pods import Pod, ProcessPod
from tests.servers.kfp.releases import NEWEST, RELEASES
from tests.servers.kfp.volumes import Volumes


@dataclass
class Backend:
    """Runs a compiled pipeline, one task after the other.

    Attributes:
        storage: The folder that stands for object storage.
        scratch: Where tasks have their mounts; each is removed after its task.
        pod: What runs a task whose mounts lie in a folder.
        version: Of Kubeflow Pipelines.
        artifacts: By task and output what was recorded: a RuntimeArtifact in JSON.
        argument_bytes: By task the length of the argument that its command got.
        moved: What launchers downloaded and uploaded.
        volumes: With a folder for each claim; None: there is none.
    """

    storage: Path
    scratch: Path
    pod: Callable[[Path], Pod] = ProcessPod
    version: str = NEWEST
    artifacts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    argument_bytes: dict[str, int] = field(default_factory=dict)
    moved: Moved = field(default_factory=Moved)
    volumes: Path | None = None

    def run(self, text: str) -> str:
        """Run every task in order and return the run's root.

        Raises:
            TaskFailedError: A task did; what comes after it does not run.
        """
        document, *rest = yaml.safe_load_all(text)
        spec = json_format.ParseDict(document, pb.PipelineSpec())
        # driver/driver.go, RootDAG, and metadata/client.go, GetPipeline
        root = generate_output_uri(
            spec.default_pipeline_root, [spec.pipeline_info.name, str(uuid.uuid4())]
        )
        driver = Driver(RELEASES[self.version], spec, root, Metadata(), self.artifacts)
        run = root.rpartition("/")[2]
        volumes = Volumes(self.volumes or self.scratch, rest[0] if rest else {}, run)
        tasks = spec.root.dag.tasks
        order = TopologicalSorter({name: task.dependent_tasks for name, task in tasks.items()})
        for name in order.static_order():
            if "importer" in driver.executor(name):
                driver.import_(name)
            else:
                self._execute(driver, name, volumes)
        return root

    def _execute(self, driver: Driver, name: str, volumes: Volumes) -> None:
        """driver/container.go, Container, then component/launcher_v2.go, Execute."""
        executor_input = driver.executor_input(name)
        volumes.resolve(executor_input)
        folder = self.scratch / name
        folder.mkdir(parents=True)
        label = driver.own_component(name).executor_label
        volumes.mount(folder, label, executor_input)
        bucket = Bucket(FolderStorage(self.storage), driver.root, self.moved)
        component = driver.components[name]
        launcher = Launcher(bucket, self.pod(folder), driver.release, component)
        (told,) = launcher.placeholders(executor_input).values()
        self.argument_bytes[name] = len(told.encode())
        made = launcher.execute(executor_input, driver.executor(name)["container"])
        remove_folder(folder)
        for output, artifact in made.items():
            if output != LOGS:
                self.artifacts[name, output] = driver.metadata.record(output, artifact)
