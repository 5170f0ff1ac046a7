"""A compiled pipeline under the Docker runner of the KFP SDK: ``kfp.local``.

The runner has no object storage: what the pipeline imports from ``gs://`` is read from a folder
that is mounted at ``/gcs``, and outputs are paths of this machine. It runs one task at a time and
has reported success of containers that failed, so only outputs tell what happened. It names folders
by component and not by task, so that two tasks of one component would overwrite each other's
outputs: here each task is given a component of its own, with the same content. And it calls the
output of every importer ``artifact``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Outputs:
    """Where the runner has left what the tasks made.

    Attributes:
        root: Folder of the run.
    """

    root: Path

    def path(self, step: str, output: str) -> Path:
        """Return where an output lies."""
        return self.root / step / output


def run(text: str, storage: Path, root: Path) -> Outputs:
    """Run a compiled pipeline to its end.

    Args:
        text: The compiled pipeline; images are names that the Docker Engine knows.
        storage: What containers see at ``/gcs``: buckets as folders.
        root: For the outputs.
    """
    from kfp.components import load_component_from_text

    return run_pipeline(load_component_from_text(_apart(text)), storage, root)


def run_pipeline(pipeline: Callable[[], object], storage: Path, root: Path) -> Outputs:
    """Run a pipeline that the SDK loaded, or that was written with it; see ``run``."""
    from docker.types import Mount
    from kfp import local

    runner = local.DockerRunner(
        # The runner gives the command and leaves the entry point: a pod's command replaces it.
        entrypoint=["env"],
        # Outputs are written into folders of this user.
        user=f"{os.getuid()}:{os.getgid()}",
        mounts=[Mount("/gcs", str(storage), type="bind", read_only=True)],
        network_mode="none",
    )
    local.init(runner=runner, pipeline_root=str(root), raise_on_error=True)
    pipeline()
    (made,) = root.iterdir()
    return Outputs(made)


def _apart(text: str) -> str:
    """Give every task of a pipeline a component of its own, and importers the runner's output."""
    pipeline = next(iter(yaml.safe_load_all(text)))
    shared, executors = pipeline["components"], pipeline["deploymentSpec"]["executors"]
    components, own, importers = {}, {}, set()
    for name, task in pipeline["root"]["dag"]["tasks"].items():
        component = dict(shared[task["componentRef"]["name"]])
        executor = own[f"exec-{name}"] = executors[component["executorLabel"]]
        if "importer" in executor:
            (kind,) = component["outputDefinitions"]["artifacts"].values()
            component["outputDefinitions"] = {"artifacts": {"artifact": kind}}
            importers.add(name)
        components[f"comp-{name}"] = {**component, "executorLabel": f"exec-{name}"}
        task["componentRef"]["name"] = f"comp-{name}"
    for task in pipeline["root"]["dag"]["tasks"].values():
        for artifact in task["inputs"].get("artifacts", {}).values():
            output = artifact["taskOutputArtifact"]
            if output["producerTask"] in importers:
                output["outputArtifactKey"] = "artifact"
    pipeline["components"], pipeline["deploymentSpec"]["executors"] = components, own
    return yaml.safe_dump(pipeline)
