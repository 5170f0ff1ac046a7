"""The connection to Google Cloud Storage: places, retries, and faults said clearly."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, cast

import requests
import urllib3.exceptions
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage  # pyright: ignore[reportMissingTypeStubs]
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse  # pyright: ignore[reportMissingTypeStubs]
from requests.adapters import HTTPAdapter

from components.contract.errors import UserError
from pipelines.stores.credentials import check_certificates, find_credentials
from pipelines.stores.store import KEY_CHARACTERS_MAX

CONNECTIONS = 32
"""Connections kept open to the service; also the most requests at a time."""

_EMULATOR = "STORAGE_EMULATOR_HOST"
_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_BUCKET = r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])"
_PLACE = re.compile(rf"{_BUCKET}(?:/([A-Za-z0-9._/=-]*))?")
_OBJECT = re.compile(rf"{_BUCKET}(?:/(.*))?")
_ADDRESS = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[^/:\s]+)(:[0-9]+)?(/\S*)?")
_NAME_BYTES_MAX = 1024
"""Longest name of an object that the service takes."""

_PREFIX_BYTES_MAX = _NAME_BYTES_MAX - KEY_CHARACTERS_MAX
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


@dataclass(frozen=True)
class Patience:
    """How long a request is tried.

    Attributes:
        deadline_s: A request that keeps failing for a reason that may pass is given up after this.
        connect_s: Longest wait for a connection.
        read_s: Longest silence on a connection.
        wait_s: Longest wait before the second try; it doubles with each try, up to 8 s.
    """

    deadline_s: float = 120.0
    connect_s: float = 10.0
    read_s: float = 60.0
    wait_s: float = 0.2

    @property
    def timeout(self) -> tuple[float, float]:
        """The time limits as the client library takes them."""
        return self.connect_s, self.read_s

    def retry(self, tried_again: Callable[[BaseException], None] | None = None) -> Retry:
        """Return a policy of growing random waits.

        Args:
            tried_again: Told of each failure that is followed by another try.
        """
        return Retry(
            predicate=may_pass,
            initial=self.wait_s,
            maximum=8.0,
            multiplier=2.0,
            timeout=self.deadline_s,
            on_error=tried_again,
        )


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


def parse_place(uri: str) -> tuple[str, str]:
    """Split ``gs://bucket/prefix`` into bucket and prefix; the prefix is empty or ends in ``/``.

    Raises:
        UserError: It is malformed.
    """
    found = _PLACE.fullmatch(uri)
    prefix = (found[2] or "").rstrip("/") if found else ""
    segments = prefix.split("/") if prefix else []
    if not found or not {"", ".", ".."}.isdisjoint(segments):
        raise UserError(
            f"{uri!r} names no place in a bucket: expected gs://bucket or gs://bucket/prefix, the "
            "bucket in 3 to 222 of a-z 0-9 . _ -, the prefix in A-Z a-z 0-9 . _ = - /",
            "write it like gs://my-bucket/slimline",
        )
    if len(prefix) >= _PREFIX_BYTES_MAX:
        raise UserError(
            f"the prefix of {uri!r} has {len(prefix)} characters: expected fewer than "
            f"{_PREFIX_BYTES_MAX}, so that with what is stored below it no name gets longer than "
            f"the {_NAME_BYTES_MAX} bytes of the service",
            "give a shorter prefix, like gs://my-bucket/slimline",
        )
    return found[1], f"{prefix}/" if prefix else ""


def parse_object(uri: str) -> tuple[str, str]:
    """Split ``gs://bucket/name`` into bucket and name, which may be empty or end in ``/``.

    Raises:
        UserError: It is malformed.
    """
    found = _OBJECT.fullmatch(uri)
    name = (found[2] or "") if found else ""
    segments = name.removesuffix("/").split("/") if name else []
    if not found or not {"", ".", ".."}.isdisjoint(segments):
        raise UserError(
            f"{uri!r} names nothing in a bucket: expected gs://bucket, gs://bucket/folder or "
            "gs://bucket/file, the bucket in 3 to 222 of a-z 0-9 . _ -, no part empty, . or ..",
            "write it like gs://my-bucket/faces",
        )
    size = len(os.fsencode(name))
    if size > _NAME_BYTES_MAX:
        raise UserError(
            f"{uri!r} names nothing in a bucket: the name of an object has at most "
            f"{_NAME_BYTES_MAX} bytes, this one has {size}",
            f"correct the name: gcloud storage ls gs://{found[1]}",
        )
    return found[1], name


def connect(uri: str) -> Any:
    """Return a ``google.cloud.storage.Client`` that many threads can use at a time.

    Args:
        uri: The place that is to be reached, named when something is amiss.

    Raises:
        UserError: There are no credentials or certificates that can be used, or the address of an
            emulator is malformed.
    """
    emulator = os.environ.get(_EMULATOR)
    if emulator and not _ADDRESS.fullmatch(emulator):
        raise UserError(
            f"{_EMULATOR} is {emulator!r}: expected a scheme, a host and a port",
            f"export {_EMULATOR}=http://localhost:9000, or unset it to use Google's service",
        )
    if _host().startswith("https://"):
        check_certificates()
    with cloud_faults(uri):
        credentials = AnonymousCredentials() if emulator else find_credentials(uri, _SCOPES)
        session = AuthorizedSession(credentials)
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
        client: Any = storage.Client(project=None, credentials=credentials, _http=session)
        _settle_environment(session, client.api_endpoint)
        return client


def _settle_environment(session: requests.Session, url: str) -> None:
    """Read proxies and certificates from the environment once.

    Requests does so for each request, which takes longer than all else it does for a small one.
    """
    settings = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies.update(settings["proxies"])
    session.verify = settings["verify"]
    session.cert = settings["cert"]
    session.trust_env = False


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
            f"{uri}: {_host()} answers, but not with the JSON of Google Cloud Storage: "
            f"{_message(error)}",
            f"correct or unset {_EMULATOR}, check the proxy settings, then run again",
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
        "host": _host(),
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
        f"{uri}: {_host()} answers with status {int(cause.code or 0)}: {facts['message']}",
        f"look the status up ({_STATUS_CODES}), and check {_EMULATOR}",
    )


def _host() -> str:
    return os.environ.get(_EMULATOR) or "https://storage.googleapis.com"


def _unreachable(uri: str, error: Exception) -> UserError:
    return UserError(
        f"{uri}: {_host()} could not be reached, or did not answer as it should, until the "
        f"deadline: {_message(error)}",
        f"check the network, the proxy settings and {_EMULATOR}, then run again",
    )


def _message(error: object) -> str:
    """Return what the service said, in one line."""
    text = getattr(error, "message", None) or str(error)
    return " ".join(str(text).split())[:300]
