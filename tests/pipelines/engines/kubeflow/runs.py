"""The smallest configuration, run by the local engine and staged for Kubeflow: what to compare."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.compiling import Compiled, compiled
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.images.building import IMAGES
from pipelines.runs.graph import Graph
from pipelines.runs.records import read_run
from pipelines.sources.snapshot import Snapshot, snapshot, stage
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.graphs import TINY, config_of
from tests.servers.kfp.cluster import LocalRun

REPRODUCIBLE = ("ingest", "train", "distill", "prune", "quantize", "convert")
"""Components that promise equal bytes on equal machines and threads."""


@dataclass(frozen=True)
class Local:
    """What the local engine made: by step and output the tree digest."""

    config: Config
    outputs: dict[str, dict[str, str]]

    @property
    def reproducible(self) -> dict[str, dict[str, str]]:
        return {n: made for n, made in self.outputs.items() if n.startswith(REPRODUCIBLE)}


def made_locally(tiny_run: LocalRun) -> Local:
    """Return what a run of the smallest configuration made."""
    steps = read_run(open_store(str(tiny_run.store)), tiny_run.run).steps
    return Local(tiny_run.config, {name: dict(step["outputs"]) for name, step in steps.items()})


@dataclass(frozen=True)
class Staged:
    """The same configuration, compiled, and its data where the importer finds them."""

    graph: Graph
    made: Compiled
    source: Snapshot


def stage_for_kubeflow(
    folder: Path, storage: Path, images: dict[str, str], root: str, **more: object
) -> Staged:
    """Compile for a pipeline root, and put the real data below it as real files.

    Args:
        folder: For the configuration.
        storage: What stands for the root's bucket.
        images: Name of every image.
        root: Pipeline root.
        **more: Of the section kubeflow.
    """
    settings = {
        "pipeline_root": root,
        "images": {image: f"r/{image}@sha256:{'0' * 64}" for image in IMAGES},
        "retries": 0,
        **more,
    }
    config = config_of(folder, kubeflow=settings)
    graph, source = graph_of(config), snapshot(load(TINY).data)
    made = compiled(check(config, graph), {"data": source.digest}, images)
    stage(source, folder / "staged")
    shutil.copytree(folder / "staged", storage / made.sources["data"].split("://")[1])
    return Staged(graph, made, source)
