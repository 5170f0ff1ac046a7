"""Fitting: a graph compiled for the version of a server, and refused where it is too large."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from components.contract.types import ImageName
from pipelines.engines.kubeflow.connection import Connection
from pipelines.engines.kubeflow.ir import limits
from pipelines.engines.kubeflow.ir.compiling import Compiled, compiled
from pipelines.engines.kubeflow.ir.servers import NEWEST, OLDEST, ServerVersion, parsed
from pipelines.engines.kubeflow.preflight import Reachable


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
    made = compiled(reachable, sources, images, cache_keys=version is None or version.cache_key)
    limits.check(made, version, workflow_bytes=reachable.settings.workflow_bytes)
    return made
