"""Faults of Google Cloud Storage: which may pass, and what the user can do about the others."""

from __future__ import annotations

import contextlib
import http.client
import os
from collections.abc import Generator
from typing import Any, cast

import requests
import urllib3.exceptions
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse  # pyright: ignore[reportMissingTypeStubs]

from components.contract.errors import UserError

EMULATOR = "STORAGE_EMULATOR_HOST"
"""The variable that names another service, as for the client library."""

_FAULTS: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (auth.RefreshError, api.Unauthorized),
        "the Google Cloud credentials are not accepted: {message}",
        "gcloud auth application-default login",
    ),
    (
        (api.NotFound,),
        "there is no bucket {bucket!r} at {host}",
        "correct the name, or: gcloud storage buckets create gs://{bucket}",
    ),
    (
        (api.Forbidden,),
        "access is forbidden: {message}",
        (
            "gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=user:YOU "
            "--role=roles/storage.objectUser; where the bucket is another project's, its owner "
            "does so, or log in with an account of that project"
        ),
    ),
    (
        (DataCorruption,),
        "what is transferred arrives damaged, time after time: {message}",
        "check the network and the proxy between this machine and the service, then run again",
    ),
    (
        (api.TooManyRequests,),
        "the quota is exceeded (429 until the deadline): {message}",
        "wait and run again, or raise the quota of the project in the Google Cloud console",
    ),
)
_STATUS_CODES = "https://cloud.google.com/storage/docs/json_api/v1/status-codes"
_RETRIED_STATUS = (408, 429, 500, 502, 503, 504)


def may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed when it is sent again."""
    if isinstance(error, api.GoogleAPICallError):
        return error.code in _RETRIED_STATUS
    if isinstance(error, InvalidResponse):
        return cast("Any", error).response.status_code in _RETRIED_STATUS
    return isinstance(
        error,
        ConnectionError
        | requests.ConnectionError
        | requests.Timeout
        | requests.exceptions.ChunkedEncodingError
        | http.client.HTTPException
        | urllib3.exceptions.HTTPError
        | auth.TransportError,
    )


@contextlib.contextmanager
def cloud_faults(uri: str) -> Generator[None]:
    """Turn what a user can put right into a ``UserError`` that names ``uri``."""
    try:
        yield
    except (
        api.GoogleAPICallError, api.RetryError, auth.GoogleAuthError, DataCorruption,
        InvalidResponse,
    ) as error:  # fmt: skip
        raise _fault(uri, error) from error
    except requests.exceptions.InvalidJSONError as error:
        raise UserError(
            f"{uri}: {service_host()} answers, but not with the JSON of Google Cloud Storage: "
            f"{_message(error)}",
            f"correct or unset {EMULATOR}, check the proxy settings, then run again",
        ) from error
    except Exception as error:
        if may_pass(error) or isinstance(error, requests.RequestException):
            raise _unreachable(uri, error) from error
        raise


def _fault(uri: str, error: Exception) -> UserError:
    """Say what the user can do."""
    cause: Any = error
    if isinstance(error, api.RetryError):
        cause = cast("Any", error).cause or error
    if isinstance(cause, InvalidResponse):
        cause = cast("Any", api).from_http_response(cast("Any", cause).response)
    facts = {
        "bucket": uri.removeprefix("gs://").partition("/")[0],
        "host": service_host(),
        "message": _message(cause),
    }
    for kinds, what, fix in _FAULTS:
        if isinstance(cause, kinds):
            return UserError(f"{uri}: {what.format(**facts)}", fix.format(**facts))
    if isinstance(cause, api.BadRequest) and "user project" in facts["message"].lower():
        return UserError(
            f"{uri}: the bucket is another project's, which lets the requester pay: "
            f"{facts['message']}",
            "use a bucket of your own project, or ask its owner to switch requester pays off",
        )
    if may_pass(cause) or isinstance(cause, api.RetryError):
        return _unreachable(uri, cause)
    if isinstance(cause, auth.GoogleAuthError):
        return UserError(
            f"{uri}: the Google Cloud credentials cannot be used: {facts['message']}",
            "gcloud auth application-default login",
        )
    return UserError(
        f"{uri}: {service_host()} answers with status {int(cause.code or 0)}: {facts['message']}",
        f"look the status up ({_STATUS_CODES}), and check {EMULATOR}",
    )


def service_host() -> str:
    """Return where the service is: Google's, or the emulator that the environment names."""
    return os.environ.get(EMULATOR) or "https://storage.googleapis.com"


def _unreachable(uri: str, error: Exception) -> UserError:
    return UserError(
        f"{uri}: {service_host()} could not be reached, or did not answer as it should, until the "
        f"deadline: {_message(error)}",
        f"check the network, the proxy settings and {EMULATOR}, then run again",
    )


def _message(error: object) -> str:
    """Return what the service said, in one line."""
    text = getattr(error, "message", None) or str(error)
    return " ".join(str(text).split())[:300]
