"""Preparing: everything that must be in its place before a run or a schedule can start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.config import Config
from pipelines.graph import Graph
from pipelines.images import image_environment
from pipelines.kubeflow import compiling, launching, reach, staging
from pipelines.kubeflow.connection import Connection
from pipelines.kubeflow.launching import Uploaded
from pipelines.kubeflow.plans import Plan, version_name
from pipelines.kubeflow.references import references
from pipelines.kubeflow.roots import open_root
from pipelines.sources import Source
from pipelines.stores import Store


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
    settings = reach.check(config, graph)
    images = references(settings)
    root = open_root(settings.pipeline_root)
    digests = {name: source.digest for name, source in sources.items()}
    compiled = compiling.compiled(config, graph, digests, images)
    for name, source in sources.items():
        staging.stage(source, compiled.sources[name], scratch)
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
    uploaded = launching.upload(
        connection,
        compiled.text,
        name=compiled.name,
        version=plan.version,
        root=settings.pipeline_root,
        service_account=settings.service_account,
    )
    return Prepared(uploaded, plan, root)
