"""Fitting: a graph compiled for the version of a server, and refused where it is too large."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from components.contract.errors import UserError
from components.contract.types import ImageName
from pipelines.config.kubeflow import Kubeflow
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.ir import limits, workspaces
from pipelines.engines.kubeflow.ir.compiling import Compiled, compiled
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.ir.servers import NEWEST, OLDEST, ServerVersion, parsed
from pipelines.engines.kubeflow.ir.sizes.measuring import Sizes
from pipelines.images.building import ALL_IMAGES

_DIGEST = "0" * 64
"""Stands for digests that are not known before anything is sent, and are all as long."""


@dataclass(frozen=True)
class Foreseen:
    """What a graph would take on a server.

    Attributes:
        sizes: Its sizes; where the version is not known, on the one where it fits worst.
        known: Whether the version is known.
        workflow_limit: How large its Workflow may become there.
        fault: Why one run there cannot hold it, or None where it can.
        version: Of the server; None where it is not known.
    """

    sizes: Sizes
    known: bool
    workflow_limit: int
    fault: UserError | None
    version: ServerVersion | None = None

    @property
    def text(self) -> str:
        """All of it, for people."""
        sizes = self.sizes
        version = f"Kubeflow Pipelines {sizes.version}"
        where = version if self.known else f"{version} (assumed, as the strictest)"
        return (
            f"on {where}: {sizes.steps} steps in {sizes.pods} pods; a Workflow of "
            f"about {sizes.workflow_bytes:,} bytes of {self.workflow_limit:,} at its end; "
            f"{sizes.input_step} is told {sizes.input_bytes:,} bytes of {limits.ARGUMENT_BYTES:,}"
        )


def version_of(connection: Connection) -> ServerVersion | None:
    """Return the version of a server, with a warning where something is not known to work there.

    Args:
        connection: The server, which has been asked.

    Returns:
        The version, or None where the server does not tell it.
    """
    version = parsed(connection.tag)
    if version is None:
        told = f"it says {connection.tag!r}" if connection.tag else "it does not say it"
        warnings.warn(
            f"{connection.host} has a version of Kubeflow Pipelines that is not known ({told}): "
            "the strictest limits of all versions count",
            stacklevel=2,
        )
    elif version.unknown:
        warnings.warn(
            f"{connection.host} is Kubeflow Pipelines {version}: {version.unknown}; known are "
            f"{OLDEST} to {NEWEST.major}.{NEWEST.minor}",
            stacklevel=2,
        )
    return version


def compiled_for(
    version: ServerVersion | None,
    reachable: Reachable,
    sources: Mapping[str, str],
    images: Mapping[ImageName, str],
) -> Compiled:
    """Compile a whole graph for a server, as ``compiling.compiled`` does.

    Args:
        version: Of the server; None where it is not known.
        reachable: What runs.
        sources: Digest of every source.
        images: The name with digest that pods pull every image by.

    Raises:
        UserError: The server cannot hold the graph, or Argo refuses a name in it.
    """
    workspaces.check(reachable.settings, version)
    made = compiled(reachable, sources, images, cache_keys=version is None or version.cache_key)
    limits.check(made, version, workflow_bytes=reachable.settings.workflow_bytes)
    return made


def named(settings: Kubeflow) -> Mapping[ImageName, str]:
    """Return names of all images that are as long as the real ones, without looking for any.

    Args:
        settings: The section `kubeflow` of a configuration.
    """
    images = settings.images
    if not isinstance(images, str):
        return images
    return {image: f"{images}/{image}@sha256:{_DIGEST}" for image in ALL_IMAGES}


def foreseen(reachable: Reachable, version: ServerVersion | None) -> Foreseen:
    """Say what a graph would take on a server, before anything is listed, built or sent.

    Args:
        reachable: What would run.
        version: Of the server; None where it is not known.

    Raises:
        UserError: Argo refuses a name in the graph.
    """
    made = compiled(
        reachable,
        dict.fromkeys(reachable.graph.sources, _DIGEST),
        named(reachable.settings),
        cache_keys=version is None or version.cache_key,
    )
    limits.check_names(made.spec["root"]["dag"]["tasks"], version)
    each = limits.measured(made, version)
    whole = reachable.settings.workflow_bytes
    beyond = list(limits.excesses(each, workflow_bytes=whole))
    worst = max(beyond, key=lambda one: one.bytes / one.limit).sizes if beyond else None
    return Foreseen(
        sizes=worst or max(each, key=lambda one: one.workflow_bytes),
        known=version is not None,
        workflow_limit=limits.workflow_limit(whole),
        fault=limits.fault_of(made.name, each, workflow_bytes=whole),
        version=version,
    )
