"""Faults of the API server, said with what the user can do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import urllib3.exceptions

from components.contract.errors import UserError
from pipelines.engines.kubeflow.access import TOKEN_PATH

_INTERNAL = 500
_PASSING = (429, 500, 502, 503, 504)
_LOGIN = (301, 302, 303, 307, 308, 401)
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
    401: (
        "{host} does not know who asks ({token} was sent): {message}",
        (
            f"write a fresh token into a file and name it: export {TOKEN_PATH}=FILE "
            "(kubectl create token ACCOUNT --audience pipelines.kubeflow.org > FILE)"
        ),
    ),
    403: (
        "{host} forbids it{inside}: {message}",
        (
            "name a namespace that is yours with --namespace, or have its owner add you as a "
            "contributor"
        ),
    ),
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
    error: Exception, *, host: str, namespace: str, token: object, deadline_s: float
) -> Exception:
    """Return what a failed request means: what the user can do, or what callers expect.

    Args:
        error: What the client raised.
        host: Address of the server.
        namespace: The user's, or nothing.
        token: What was sent to say who asks, in words.
        deadline_s: How long it was tried.
    """
    status: int = getattr(error, "status", None) or 0
    if status in _EXPECTED:
        return _EXPECTED[status](_message(error))
    if _is_invalid(error):
        what, fix = _WRONG
        return UserError(what.format(host=host, message=_message(error)), fix)
    what, fix = _FAULTS.get(401 if status in _LOGIN else status) or (
        _REFUSED if status and status not in _PASSING else _FAILING
    )
    facts = {
        "host": host,
        "inside": f" in the namespace {namespace}" if namespace else "",
        "token": token,
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
    return " ".join(str(text).split())[:_SHOWN_CHARACTERS_MAX]
