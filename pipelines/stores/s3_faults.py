"""Faults of services that speak S3: which may pass, and what the user can do about the others."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, cast

import urllib3.exceptions
from botocore import exceptions as boto  # pyright: ignore[reportMissingTypeStubs]
from botocore.parsers import ResponseParserError  # pyright: ignore[reportMissingTypeStubs]
from google.api_core.exceptions import RetryError

from components.contract.errors import UserError
from pipelines.stores.objects import CONDITIONS, DamagedTransfer

ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""The variable that names another service than AWS, as for the client library."""

CREDENTIALS = (
    "aws configure, or export AWS_PROFILE=NAME, or export AWS_ACCESS_KEY_ID=... "
    "AWS_SECRET_ACCESS_KEY=... (of Kubeflow's own store: kubectl get secret "
    "mlpipeline-minio-artifact -n kubeflow -o yaml, both in base64)"
)


@dataclass(frozen=True)
class _CodeFault:
    """What the user can do about errors of some codes."""

    codes: tuple[str, ...]
    what: str
    fix: str


_FAULTS = (
    _CodeFault(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"),
        "the credentials are not accepted: {message}",
        CREDENTIALS,
    ),
    _CodeFault(
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"),
        "the credentials have expired: {message}",
        "aws sso login, or get new ones and export them",
    ),
    _CodeFault(
        ("NoSuchBucket",),
        "there is no bucket {bucket!r} at {host}",
        "correct the name, or: aws s3 mb s3://{bucket}; the address of another service goes into "
        "AWS_ENDPOINT_URL_S3",
    ),
    _CodeFault(
        ("AccessDenied", "AllAccessDisabled", "403"),
        "access is forbidden: {message}",
        "let the account list, read, write and delete objects of {bucket} (s3:ListBucket, "
        "s3:GetObject, s3:PutObject, s3:DeleteObject), or use the credentials of one that may",
    ),
    _CodeFault(
        ("RequestTimeTooSkewed",),
        "the clock of this machine is wrong: {message}",
        "set the clock, for example: timedatectl set-ntp true",
    ),
    _CodeFault(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        "the bucket is in another region: {message}",
        "export AWS_DEFAULT_REGION=REGION, with the region that `aws s3api get-bucket-location "
        "--bucket {bucket}` prints",
    ),
    _CodeFault(
        ("InvalidBucketName",),
        "{host} takes no bucket of the name {bucket!r}",
        "use another bucket",
    ),
    _CodeFault(
        ("EntityTooLarge",),
        "a value is larger than {host} takes in one request (5 GiB at AWS): {message}",
        "keep the store in gs:// or in a folder; a PUT in parts would not let one of several "
        "writers win everywhere",
    ),
    _CodeFault(
        ("NotImplemented", "501"),
        "{host} does not know what is asked of it: {message}",
        CONDITIONS,
    ),
    _CodeFault(
        ("SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "429"),
        "the service is asked too often, until the deadline: {message}",
        "wait and run again, or spread what runs at a time over several prefixes",
    ),
)
_RETRIED_STATUS = (408, 409, 429, 500, 502, 503, 504)
_RETRIED_CODES = ("RequestTimeout", "SlowDown", "InternalError", "ConditionalRequestConflict")
_DAMAGE = ("BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody")
_STATUS_CODES = "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"


def code_of(error: BaseException) -> str:
    """Return the code that the service gave an error, which for a HEAD is its status."""
    return str(_response(error).get("Error", {}).get("Code", ""))


def status_of(error: BaseException) -> int:
    """Return the status of the answer, or 0 where there was none."""
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _response(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, boto.ClientError):
        return {}
    return cast("dict[str, Any]", cast("Any", error).response)


def may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed when it is sent again."""
    if isinstance(error, boto.ClientError):
        return status_of(error) in _RETRIED_STATUS or code_of(error) in _RETRIED_CODES
    if isinstance(error, boto.SSLError | boto.ProxyConnectionError):
        return False
    return isinstance(
        error,
        boto.HTTPClientError
        | boto.ConnectionError
        | boto.IncompleteReadError
        | ConnectionError
        | http.client.HTTPException
        | urllib3.exceptions.HTTPError,
    )


def is_unknown(error: BaseException) -> bool:
    """Whether the service does not know a condition that a request had."""
    return code_of(error) == "NotImplemented" or status_of(error) == 501


def is_damage(error: BaseException) -> bool:
    """Whether the bytes, not the request, were at fault: the same transfer may then succeed."""
    return isinstance(error, DamagedTransfer | boto.FlexibleChecksumError) or (
        code_of(error) in _DAMAGE
    )


@contextlib.contextmanager
def s3_faults(uri: str, host: str) -> Generator[None]:
    """Turn what a user can put right into a ``UserError`` that names ``uri``.

    Args:
        uri: What is to be reached.
        host: Address of the service.
    """
    try:
        yield
    except (
        boto.BotoCoreError,
        boto.ClientError,
        ResponseParserError,
        RetryError,
        DamagedTransfer,
    ) as error:
        cause: Any = error
        if isinstance(error, RetryError):
            cause = cast("Any", error).cause or error
        raise _fault(uri, host, cause) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, ConnectionError) as error:
        raise _fault(uri, host, error) from error


def _fault(uri: str, host: str, cause: Exception) -> UserError:
    """Say what the user can do."""
    bucket = uri.partition("://")[2].partition("/")[0]
    facts = {"bucket": bucket, "host": host, "message": _message(cause)}
    for one in _FAULTS:
        if code_of(cause) in one.codes:
            return UserError(f"{uri}: {one.what.format(**facts)}", one.fix.format(**facts))
    what, fix = _other_fault(cause)
    return UserError(f"{uri}: {what.format(**facts)}", fix)


def _other_fault(cause: Exception) -> tuple[str, str]:
    """Return what is amiss where no code tells it, and the way out."""
    if is_damage(cause):
        what = "what is transferred arrives damaged, time after time: {message}"
        fix = "check the network and the proxy between this machine and the service, then run again"
    elif isinstance(cause, boto.NoCredentialsError):
        what, fix = "this machine has no credentials for {host}", CREDENTIALS
    elif isinstance(cause, boto.SSLError):
        what = "the certificate of {host} is not trusted: {message}"
        fix = (
            "export AWS_CA_BUNDLE=FILE.pem with the authority that signed it, or correct "
            f"{ENDPOINT} (http:// where the service has none)"
        )
    elif isinstance(cause, ResponseParserError) or (
        isinstance(cause, boto.ClientError)
        and not may_pass(cause)
        and (not code_of(cause) or code_of(cause).isdecimal())
    ):
        what = "{host} answers, but not as S3 does: {message}"
        fix = (
            f"correct {ENDPOINT} (of Kubeflow's own store: kubectl port-forward -n kubeflow "
            "svc/minio-service 9000:9000, then http://localhost:9000), check the proxy settings, "
            "then run again"
        )
    elif isinstance(cause, boto.ClientError) and not may_pass(cause):
        what = f"{{host}} answers with status {status_of(cause)}, {code_of(cause)}: {{message}}"
        fix = f"look the code up ({_STATUS_CODES}), and check {ENDPOINT}"
    elif isinstance(cause, boto.ClientError | boto.HTTPClientError) or may_pass(cause):
        what = (
            "{host} could not be reached, or did not answer as it should, until the deadline: "
            "{message}"
        )
        fix = f"check the network, the proxy settings and {ENDPOINT}, then run again"
    else:
        what = "the AWS configuration of this machine cannot be used: {message}"
        fix = f"correct it, or: {CREDENTIALS}"
    return what, fix


def _message(error: Exception) -> str:
    """Return what the service said, in one line."""
    said = _response(error).get("Error", {}).get("Message") or str(error)
    return " ".join(str(said).split())[:300]
