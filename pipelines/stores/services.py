"""The services that keep buckets, by the scheme of their addresses."""

from __future__ import annotations

from collections.abc import Callable

from components.contract.errors import UserError
from components.contract.extras import not_installed
from pipelines.stores.bucket_uri import scheme_of
from pipelines.stores.objects import Objects
from pipelines.stores.retrying import RetryPolicy


def open_objects(
    uri: str,
    bucket: str,
    policy: RetryPolicy | None = None,
    sealed: Callable[[str], bool] = lambda _: False,
) -> Objects:
    """Return the objects of a bucket, whatever service keeps them.

    Args:
        uri: What the user wrote, named when something is amiss.
        bucket: Name of the bucket.
        policy: How long requests are tried.
        sealed: Whether the object of a name is sealed where the service needs it: ``sealing.py``.

    Raises:
        UserError: No credentials, an extra that is not installed, or no service of this kind.
    """
    scheme = scheme_of(uri)
    if scheme == "gs":
        from pipelines.stores.gcs_objects import GcsObjects

        return GcsObjects(uri, bucket, policy)
    if scheme in ("s3", "minio"):
        try:
            from pipelines.stores.s3_objects import S3Objects
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "botocore":
                raise
            raise not_installed(uri, "botocore", "s3") from error
        return S3Objects(uri, bucket, policy, sealed)
    raise UserError(
        f"{uri}: there is no bucket of this kind",
        "give a place like gs://bucket/prefix, s3://bucket/prefix or minio://bucket/prefix",
    )
