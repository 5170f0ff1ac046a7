"""Preparing: everything that must be in its place before a run or a schedule can start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.types import ImageName
from pipelines.config.secrets import refuse_secrets
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.bucket import pipeline_root
from pipelines.engines.kubeflow.bucket.image_digests import images_of, references
from pipelines.engines.kubeflow.bucket.pipeline_root import open_root
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion, version_name
from pipelines.engines.kubeflow.ir.compiling import Compiled
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.launching import submitting
from pipelines.engines.kubeflow.launching.fitting import compiled_for, version_of
from pipelines.engines.kubeflow.launching.submitting import Uploaded
from pipelines.engines.kubeflow.results.earlier import placement
from pipelines.images.building import image_environment
from pipelines.runs.kept.kept_documents import documents_of
from pipelines.sources.snapshot import Snapshot
from pipelines.stores.store import Store


@dataclass(frozen=True)
class Prepared:
    """A pipeline version with all that it needs.

    Attributes:
        uploaded: The version, as the server knows it.
        version: The same, as whoever imports its runs needs it.
        root: Its pipeline root, open.
    """

    uploaded: Uploaded
    version: PipelineVersion
    root: Store


def prepare(
    connection: Connection,
    reachable: Reachable,
    sources: Mapping[str, Snapshot],
    scratch: Path,
) -> Prepared:
    """Compile a graph, stage its sources, write down its version, upload it; what is there stays.

    Args:
        connection: The API server.
        reachable: What runs.
        sources: Snapshot of every source of the graph.
        scratch: A folder of this machine for what is on its way.

    Raises:
        UserError: The configuration holds a secret, an image or the pipeline root cannot be used,
            the graph is too large for the server, or the cluster refuses something.
    """
    config, settings = reachable.config, reachable.settings
    refuse_secrets(config)
    images = references(settings, images_of(reachable.graph))
    root = open_root(settings.pipeline_root)
    digests = {name: source.digest for name, source in sources.items()}
    compiled = compiled_for(version_of(connection), reachable, digests, images)
    stage_sources(sources, compiled.sources, scratch)
    return put_version(connection, root, reachable, digests, images, compiled)


def stage_sources(
    sources: Mapping[str, Snapshot], places: Mapping[str, str], scratch: Path
) -> None:
    """Make sure that every source lies in the pipeline root.

    Args:
        sources: Snapshot of every source.
        places: By source the address that is imported.
        scratch: A folder of this machine for what is on its way.

    Raises:
        UserError: The bucket cannot be written, or the user's files changed meanwhile.
    """
    for name, source in sources.items():
        pipeline_root.stage(source, places[name], scratch)


def put_version(
    connection: Connection,
    root: Store,
    reachable: Reachable,
    sources: Mapping[str, str],
    images: Mapping[ImageName, str],
    compiled: Compiled,
    *,
    only: Sequence[str] | None = None,
    folders: Mapping[str, str] | None = None,
) -> Prepared:
    """Write down a version of a pipeline and upload it; what is there stays.

    Args:
        connection: The API server.
        root: The pipeline root.
        reachable: What it is of: the whole graph.
        sources: Digest of every source.
        images: The name with digest that pods pull every image by.
        compiled: What is uploaded.
        only: Names of the steps that it carries out; None is all.
        folders: Of the other steps where their results lie below the root.

    Raises:
        UserError: The cluster or the bucket refuses something.
    """
    settings = reachable.settings
    version = version_made(reachable, compiled, sources, images, only=only, folders=folders)
    version.put(root)
    uploaded = submitting.upload(
        connection,
        compiled.text,
        name=compiled.name,
        version=version.name,
        root=settings.pipeline_root,
        service_account=settings.service_account,
        parameters=compiled.parameters,
        service=settings.service,
    )
    return Prepared(uploaded, version, root)


def version_made(
    reachable: Reachable,
    compiled: Compiled,
    sources: Mapping[str, str],
    images: Mapping[ImageName, str],
    *,
    only: Sequence[str] | None = None,
    folders: Mapping[str, str] | None = None,
) -> PipelineVersion:
    """Return what whoever imports the runs of a compiled graph must know of it.

    Args:
        reachable: What was compiled: the whole graph.
        compiled: What became of it.
        sources: Digest of every source.
        images: The name with digest that pods pull every image by.
        only: See ``put_version``.
        folders: See ``put_version``.
    """
    config, settings = reachable.config, reachable.settings
    return PipelineVersion(
        name=version_name(config.digest, compiled.digest),
        config_digest=config.digest,
        graph=reachable.graph,
        budgets=config.budgets.model_dump(),
        sources=sources,
        images=images,
        environments={image: image_environment(image) for image in images},
        variants=config.written_variants,
        documents=documents_of(config, reachable.graph, installed=False),
        only=None if only is None or len(only) == len(reachable.graph.steps) else only,
        folders=folders or {},
        placements={
            step.component: where
            for step in reachable.graph.steps
            if (where := placement(step, settings))
        },
        retries=settings.retries,
        backoff_s=settings.backoff_s,
        fits=settings.workflow_bytes is None,
    )
