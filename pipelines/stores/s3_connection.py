"""The connection to a service that speaks S3: who asks, at which address, in which region.

All of it is read where the command line of AWS reads it: environment variables, the profiles of
``~/.aws``, and the credentials that a pod or a virtual machine of AWS has.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore import exceptions as boto  # pyright: ignore[reportMissingTypeStubs]
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
from botocore.loaders import create_loader  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from botocore.session import Session  # pyright: ignore[reportMissingTypeStubs]

from components.contract.errors import UserError
from pipelines.stores.bucket_uri import scheme_of
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.s3_faults import CREDENTIALS, ENDPOINT

CONNECTIONS = 32
"""Connections kept open to the service; also the most requests at a time."""

_AMAZON = ".amazonaws.com"
_REGION = "us-east-1"
"""What requests are signed for where nothing names a region; other services than AWS's take it."""


def connect(uri: str, policy: RetryPolicy) -> Any:
    """Return an S3 client that many threads can use at a time and that sends nothing twice.

    Args:
        uri: The place that is to be reached, named when something is amiss.
        policy: How long requests are tried.

    Raises:
        UserError: There are no credentials, the address is malformed or missing, or a file of the
            AWS configuration cannot be used.
    """
    try:
        session = _session()
        credentials: Any = session.get_credentials()
        client = _client(session, policy)
    except boto.ProfileNotFound as error:
        raise UserError(
            f"{uri}: there is no profile {os.environ.get('AWS_PROFILE')!r}, which AWS_PROFILE "
            f"names: {error}",
            "export AWS_PROFILE=NAME, one that `aws configure list-profiles` prints, or unset it",
        ) from error
    except ValueError as error:
        raise UserError(
            f"{uri}: the address of the service is malformed: {error}; expected a scheme, a host "
            "and a port",
            f"export {ENDPOINT}=http://localhost:9000, or unset it to use AWS",
        ) from error
    except boto.BotoCoreError as error:
        raise UserError(
            f"{uri}: the AWS configuration of this machine cannot be used: {error}",
            f"correct it, or: {CREDENTIALS}",
        ) from error
    if scheme_of(uri) == "minio" and client.meta.endpoint_url.endswith(_AMAZON):
        raise UserError(
            f"{uri}: minio:// is a service at an address of its own, and nothing says which",
            f"export {ENDPOINT}=http://localhost:9000, after kubectl port-forward "
            "-n kubeflow svc/minio-service 9000:9000",
        )
    if credentials is None:
        raise UserError(
            f"{uri}: this machine has no credentials for {client.meta.endpoint_url}", CREDENTIALS
        )
    return client


@cache
def _loader() -> Any:
    """Return what reads the description of S3, a large file, once for all clients."""
    return create_loader()


def _session() -> Any:
    session: Any = Session()
    session.register_component("data_loader", _loader())
    return session


def _client(session: Any, policy: RetryPolicy) -> Any:
    options: dict[str, Any] = {
        "connect_timeout": policy.connect_s,
        "read_timeout": policy.read_s,
        "max_pool_connections": CONNECTIONS,
        # Retries are ours: only who sends a request again knows that its first reply was lost.
        "retries": {"total_max_attempts": 1},
        # Services that follow S3 of some years ago refuse the newer checksums in trailers.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    region = session.get_config_variable("region") or os.environ.get("AWS_REGION") or _REGION
    client = session.create_client("s3", region_name=region, config=Config(**options))
    settings: Any = session.get_scoped_config().get("s3")
    told = isinstance(settings, dict) and "addressing_style" in settings
    if client.meta.endpoint_url.endswith(_AMAZON) or told:
        return client
    # A service of one's own has seldom a name for each bucket.
    options["s3"] = {"addressing_style": "path"}
    return session.create_client("s3", region_name=region, config=Config(**options))
