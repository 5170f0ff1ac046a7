"""Preparing: everything that must be in its place before a run or a schedule can start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.config.loading import Config
from pipelines.engines.kubeflow import pipeline_root, preflight, submitting
from pipelines.engines.kubeflow.connection import Connection
from pipelines.engines.kubeflow.image_digests import references
from pipelines.engines.kubeflow.ir import compiling
from pipelines.engines.kubeflow.pipeline_root import open_root
from pipelines.engines.kubeflow.submitting import Uploaded
from pipelines.engines.kubeflow.versions import Plan, version_name
from pipelines.images.building import image_environment
from pipelines.runs.graph import Graph
from pipelines.sources.snapshot import Source
from pipelines.stores.store import Store


@dataclass(frozen=True)
class Prepared:
    """A pipeline version with all that it needs.

    Attributes:
        uploaded: The version, as the server knows it.
        plan: The version, as whoever brings its runs home needs it.
        root: Its pipeline root, open.
    """

    uploaded: Uploaded
    plan: Plan
    root: Store


def prepare(
    connection: Connection,
    config: Config,
    graph: Graph,
    sources: Mapping[str, Source],
    scratch: Path,
) -> Prepared:
    """Compile a graph, stage its sources, keep its plan, upload it; what is there stays.

    Args:
        connection: The API server.
        config: With a section `kubeflow`.
        graph: What ``config`` describes.
        sources: Snapshot of every source of the graph.
        scratch: A folder of this machine for what is on its way.

    Raises:
        UserError: Something cannot be reached from the cluster, or is refused there.
    """
    settings = preflight.check(config, graph)
    images = references(settings)
    root = open_root(settings.pipeline_root)
    digests = {name: source.digest for name, source in sources.items()}
    compiled = compiling.compiled(config, graph, digests, images)
    for name, source in sources.items():
        pipeline_root.stage(source, compiled.sources[name], scratch)
    plan = Plan(
        version=version_name(config.digest, compiled.digest),
        config_digest=config.digest,
        graph=graph,
        budgets=config.budgets.model_dump(),
        sources=digests,
        images=images,
        environments={image: image_environment(image) for image in images},
    )
    plan.put(root)
    uploaded = submitting.upload(
        connection,
        compiled.text,
        name=compiled.name,
        version=plan.version,
        root=settings.pipeline_root,
        service_account=settings.service_account,
    )
    return Prepared(uploaded, plan, root)
