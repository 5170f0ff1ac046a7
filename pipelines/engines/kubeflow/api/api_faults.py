"""Faults of the API server, said with what the user can do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import urllib3.exceptions

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.identity import Identity
from pipelines.engines.kubeflow.api.refused_callers import refused_caller

_INTERNAL = 500
_PASSING = (429, 500, 502, 503, 504)
_UNKNOWN = (301, 302, 303, 307, 308, 401)
_SHOWN_CHARACTERS_MAX = 300
_INVALID = re.compile(
    r"Failed to validate workflow|Failed to generate the ExecutionSpec|Workflow\S* \S* is invalid"
    r"|pipeline spec is invalid|platform spec is invalid|[Rr]equest (entity )?(is )?too large"
)
"""What the server says, with status 500, of a Workflow that no second attempt makes right."""


class ReplyLostError(Exception):
    """Nobody knows whether the server did what it was asked to: its answer did not come."""


class AlreadyExistsError(Exception):
    """The server has something of that name."""


_EXPECTED: Mapping[int, type[Exception]] = {404: LookupError, 409: AlreadyExistsError}
_FAULTS: Mapping[int, tuple[str, str]] = {
    429: (
        "{host}: a quota is exhausted{inside}: {message}",
        "wait until other runs have ended, or raise the quota (kubectl describe quota)",
    ),
}
_REFUSED = (
    "{host} refuses it: {message}",
    "compare the server's version with 2.17, which slimline is written for",
)
_WRONG = (
    "{host} can make no Workflow of it: {message}",
    (
        "change what the message names in the configuration: where it is the name of a node, the "
        "names of variants; where it is a size, their number"
    ),
)
_FAILING = (
    "{host} {how} until the deadline of {deadline_s:g} s: {message}",
    (
        "check the address, the network and the proxy, or open a way: "
        "kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80"
    ),
)


def fault_of(
    error: Exception, *, host: str, namespace: str, who: Identity, deadline_s: float
) -> Exception:
    """Return what a failed request means: what the user can do, or what callers expect.

    Args:
        error: What the client raised.
        host: Address of the server.
        namespace: The user's, or nothing.
        who: What was sent to say who asks.
        deadline_s: How long it was tried.
    """
    status: int = getattr(error, "status", None) or 0
    if status in _EXPECTED:
        return _EXPECTED[status](_message(error))
    if _is_invalid(error):
        what, fix = _WRONG
        return UserError(what.format(host=host, message=_message(error)), fix)
    refused = refused_caller(
        status,
        message=_message(error),
        body=_body(error),
        location=_location(error),
        host=host,
        namespace=namespace,
        who=who,
    )
    if refused:
        return refused
    what, fix = _FAULTS.get(status) or (_REFUSED if status and status not in _PASSING else _FAILING)
    facts = {
        "host": host,
        "inside": f" in the namespace {namespace}" if namespace else "",
        "how": f"fails ({status})" if status else "could not be reached",
        "deadline_s": deadline_s,
        "message": _message(error) or "it says no more",
    }
    return UserError(what.format(**facts), fix.format(**facts))


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed when it is sent again."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        return True
    return getattr(error, "status", None) in _PASSING and not _is_invalid(error)


def _is_invalid(error: Exception) -> bool:
    """Whether the server takes what it was given for wrong, whatever the status says."""
    return getattr(error, "status", None) == _INTERNAL and bool(_INVALID.search(_message(error)))


def is_unknown(error: Exception) -> bool:
    """Whether the server, or the proxy before it, does not know who asks."""
    return getattr(error, "status", None) in _UNKNOWN


def _location(error: Exception) -> str:
    headers: Any = getattr(error, "headers", None) or {}
    return headers.get("Location") or ""


def _body(error: Exception) -> str:
    body = getattr(error, "body", None) or ""
    return body if isinstance(body, str) else body.decode(errors="replace")


def _message(error: Exception) -> str:
    """Return what the server said, in one line."""
    body = getattr(error, "body", None)
    if body is None:
        text = getattr(error, "reason", None) or str(error)
    else:
        try:
            content = json.loads(body)
            text = content.get("message") or content.get("error_message") or content.get("error")
        except (ValueError, AttributeError):  # a proxy's page, not the server's
            text = re.sub(r"<[^>]*>", " ", body if isinstance(body, str) else body.decode())
    return " ".join(str(text or "").split())[:_SHOWN_CHARACTERS_MAX]
