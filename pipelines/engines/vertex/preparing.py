"""Preparing: everything that must be in its place before a job can start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.config.secrets import refuse_secrets
from pipelines.engines.kubeflow.bucket import pipeline_root
from pipelines.engines.kubeflow.bucket.image_digests import images_of, references
from pipelines.engines.kubeflow.bucket.pipeline_root import open_root
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.ir import compiling
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.launching.preparing import version_made
from pipelines.engines.vertex.pipeline_job import LABEL
from pipelines.sources.snapshot import Snapshot
from pipelines.stores.store import Store


@dataclass(frozen=True)
class StagedPipeline:
    """A pipeline with all that its jobs need.

    Attributes:
        job: What a job is created from; only its display name is missing.
        version: What whoever imports its jobs needs.
        root: Its pipeline root, open.
    """

    job: Mapping[str, Any]
    version: PipelineVersion
    root: Store


def prepare(reachable: Reachable, sources: Mapping[str, Snapshot], scratch: Path) -> StagedPipeline:
    """Compile a graph, stage its sources, write down its version; what is there stays.

    Args:
        reachable: What runs.
        sources: Snapshot of every source of the graph.
        scratch: A folder of this machine for what is on its way.

    Raises:
        UserError: The configuration holds a secret, or an image or the pipeline root cannot be
            used.
    """
    settings = reachable.settings
    refuse_secrets(reachable.config)
    images = references(settings, images_of(reachable.graph))
    root = open_root(settings.pipeline_root)
    digests = {name: source.digest for name, source in sources.items()}
    compiled = compiling.compiled(reachable, digests, images, cache_keys=False)
    for name, source in sources.items():
        pipeline_root.stage(source, compiled.sources[name], scratch)
    version = version_made(reachable, compiled, digests, images)
    version.put(root)
    job: dict[str, Any] = {
        "pipelineSpec": compiled.spec,
        # One level more than Vertex AI's own, so that results lie as deep as those of Kubeflow:
        # <root>/<pipeline>/<project number>/<job>/<task>_<id>/<artifact>.
        "runtimeConfig": {
            "gcsOutputDirectory": f"{settings.pipeline_root}/{compiled.name}",
            "parameterValues": dict(compiled.parameters),
        },
        "labels": {LABEL: version.name},
    }
    if settings.vertex and settings.vertex.service_account:
        job["serviceAccount"] = settings.vertex.service_account
    return StagedPipeline(job, version, root)
