"""The pipeline root as this machine reads it."""

from __future__ import annotations

from components.errors import UserError
from pipelines.stores import Store


def open_root(uri: str) -> Store:
    """Open a pipeline root to read what runs left there, and to write plans and sources.

    Args:
        uri: ``gs://bucket/prefix``.

    Raises:
        UserError: It is in another kind of storage, or cannot be reached.
    """
    if not uri.startswith("gs://"):
        raise UserError(
            f"the pipeline root {uri} cannot be read from here: slimline reads gs:// alone",
            "write pipeline_root: gs://BUCKET/pipelines under kubeflow; with another root "
            "compile the pipeline (slimline compile) and launch it in the user interface",
        )
    from pipelines.stores.bucket import BucketStore

    return BucketStore(uri)
