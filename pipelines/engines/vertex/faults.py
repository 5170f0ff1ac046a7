"""Faults of Vertex AI's API, said with what the user can do."""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests
from google.auth import exceptions as auth

from components.contract.errors import UserError
from pipelines.engines.vertex.place import VertexPlace

_PASSING = (408, 429, 500, 502, 503, 504)
_SHOWN_CHARACTERS_MAX = 300
_DISABLED = re.compile(r"has not been used in project|it is disabled|SERVICE_DISABLED")
_ACT_AS = re.compile(r"actAs|iam\.serviceAccounts")
_LOGIN = "gcloud auth application-default login"


class AnswerError(Exception):
    """An answer that is not what was asked for.

    Args:
        response: As it came.
    """

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.message = _message(response)
        super().__init__(f"{self.status}: {self.message}")


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed when it is sent again."""
    if isinstance(error, AnswerError):
        return error.status in _PASSING
    return isinstance(
        error,
        requests.ConnectionError
        | requests.Timeout
        | requests.exceptions.ChunkedEncodingError
        | auth.TransportError,
    )


def fault_of(error: Exception, place: VertexPlace, deadline_s: float) -> UserError:
    """Return what a failed request means, and what the user can do.

    Args:
        error: What was raised.
        place: Where it was sent.
        deadline_s: How long it was tried.
    """
    if isinstance(error, auth.RefreshError | auth.DefaultCredentialsError):
        return UserError(
            f"{place.host}: the Google Cloud credentials cannot be used: {error}", _LOGIN
        )
    if not isinstance(error, AnswerError):
        return UserError(
            f"{place.host} could not be reached until the deadline of {deadline_s:g} s: {error}",
            "check the network, the proxy settings and --location",
        )
    project = place.project
    if error.status == 403 and _DISABLED.search(error.message):
        return UserError(
            f"Vertex AI is not enabled in the project {project}: {error.message}",
            f"gcloud services enable aiplatform.googleapis.com --project {project}",
        )
    if error.status == 403 and _ACT_AS.search(error.message):
        return UserError(
            f"{place.host}: you may not start containers as that service account: {error.message}",
            "gcloud iam service-accounts add-iam-policy-binding ACCOUNT --member=user:YOU "
            "--role=roles/iam.serviceAccountUser",
        )
    what, fix = _FAULTS.get(error.status) or (_FAILING if error.status in _PASSING else _REFUSED)
    facts = {"host": place.host, "project": project, "location": place.location}
    told = {
        **facts,
        "message": error.message,
        "deadline_s": f"{deadline_s:g}",
        "status": error.status,
    }
    return UserError(what.format(**told), fix.format(**told))


_FAULTS: Mapping[int, tuple[str, str]] = {
    401: ("{host} does not take the Google Cloud credentials: {message}", _LOGIN),
    403: (
        "{host} forbids it in the project {project}: {message}",
        (
            "gcloud projects add-iam-policy-binding {project} --member=user:YOU "
            "--role=roles/aiplatform.user"
        ),
    ),
    404: (
        "{host} has no project {project} with the region {location}: {message}",
        "correct --project and --location, or project and location under kubeflow.vertex",
    ),
    429: (
        "{host}: a quota of the project {project} is exhausted: {message}",
        "wait until other jobs have ended, or raise the quota in the Google Cloud console",
    ),
}
_FAILING = (
    "{host} fails ({status}) until the deadline of {deadline_s} s: {message}",
    "look at https://status.cloud.google.com, and run again",
)
_REFUSED = (
    "{host} refuses it ({status}): {message}",
    "correct what it names in the configuration, and run again",
)


def _message(response: requests.Response) -> str:
    """Return what the service said, in one line."""
    try:
        error = response.json()["error"]
        text = str(error["message"])
    except (ValueError, LookupError, TypeError):  # a proxy's page, not the service's
        text = re.sub(r"<[^>]*>", " ", response.text) or response.reason
    return " ".join(text.split())[:_SHOWN_CHARACTERS_MAX]
