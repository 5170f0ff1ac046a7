"""A server, or the proxy before it, that does not know who asks: said by what was sent to it.

Kubeflow stands behind oauth2-proxy and Istio: a caller without a session gets 401 with empty JSON
below ``/apis/``, a page to sign in with 403, or is sent to Dex with 302 (as by oidc-authservice
before Kubeflow 1.9); Istio itself answers 401 to a token that it cannot verify and 403 ("RBAC:
access denied") to one without rights.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from components.contract.errors import UserError
from pipelines.config.kubeflow_auth import EXAMPLE
from pipelines.engines.kubeflow.api.identity import POD_TOKEN, TOKEN_PATH, Identity

_SENT_ON = (301, 302, 303, 307, 308)
_PAGE = re.compile(
    r"/oauth2/(?:start|sign_in)|/dex/auth|<form[^>]*(?:login|sign.?in)", re.IGNORECASE
)
_MESH = "RBAC: access denied"
_GUIDE = "docs/kubeflow.md, Who asks"


def refused_caller(
    status: int, *, message: str, body: str, location: str, host: str, namespace: str, who: Identity
) -> UserError | None:
    """Return the error for a caller who is not known or not allowed; None for another fault.

    Args:
        status: Of the answer.
        message: What the answer says, in one line.
        body: The answer itself.
        location: Where it leads, if it leads anywhere.
        host: Address of the server.
        namespace: The user's, or nothing.
        who: What was sent.
    """
    sent = f"{who} {'were' if who.sends == 'cookie' and who.source != 'nothing' else 'was'} sent"
    if status in _SENT_ON:
        where = urlsplit(location)
        page = f"{where.scheme}://{where.netloc}" if where.netloc else ""
        told = f"it leads to the page {page}{where.path}" if location else "it leads elsewhere"
        return UserError(f"{host} does not know who asks ({sent}): {told}", _fix(who, host))
    if status == 401 or (status == 403 and _PAGE.search(body)):
        told = message if status == 401 and message else "it asks to sign in"
        return UserError(f"{host} does not know who asks ({sent}): {told}", _fix(who, host))
    if status != 403:
        return None
    inside = f" in the namespace {namespace}" if namespace else ""
    if _MESH in body and who.source == "nothing":
        return UserError(f"{host} does not know who asks ({sent}): {message}", _fix(who, host))
    return UserError(f"{host} forbids it{inside} ({sent}): {message}", _rights(who))


def _fix(who: Identity, host: str) -> str:
    """Return how what is sent can be put right."""
    if who.source == "nothing":
        return _unnamed(who, host)
    if who.sends == "cookie":
        place = f" into {who.path}" if who.path else ""
        return (
            f"the session has ended or is another one's: log in again at {_origin(host)}, and copy "
            f"its cookies{place}; for runs that nobody watches take a token: "
            f"--token-command '{EXAMPLE}'"
        )
    fresh = f"write a fresh token into {who.path} ({EXAMPLE} > {who.path})"
    fetched = f"have it fetched each time: --token-command '{EXAMPLE}'"
    return {
        "command": (
            "run the command by hand and look at what it prints: the account must exist, and the "
            "audience be one that is accepted there: none, or --audience pipelines.kubeflow.org "
            "where no gateway stands before the server"
        ),
        "pod": (
            f"the token in {POD_TOKEN} needs the audience pipelines.kubeflow.org: write it into "
            f"the pod's projected volume ({_GUIDE})"
        ),
        "google": "gcloud auth application-default login",
        "variable": f"{fresh}, or another file: export {TOKEN_PATH}=FILE; or {fetched}",
        "file": f"{fresh}, or {fetched}",
    }[who.source]


def _unnamed(who: Identity, host: str) -> str:
    """Return how somebody can say who asks where nothing was sent."""
    if who.in_pod:
        return (
            f"project a token of the pod's service account with the audience "
            f"pipelines.kubeflow.org to {POD_TOKEN} ({_GUIDE} has the manifest), or name a file "
            f"that holds one: export {TOKEN_PATH}=FILE"
        )
    return (
        f"have a token fetched: --token-command '{EXAMPLE}', or kubeflow: {{auth: {{command: "
        f"[{', '.join(EXAMPLE.split())}]}}}}; or write one into a file: export {TOKEN_PATH}=FILE; "
        f"or log in at {_origin(host)} and give the cookies of the session: --cookie-file FILE"
    )


def _rights(who: Identity) -> str:
    account = " (the pod's service account)" if who.source == "pod" else ""
    return (
        f"name a namespace that is yours with --namespace, or have its owner add you{account} as a "
        "contributor: a RoleBinding there to the ClusterRole kubeflow-edit"
    )


def _origin(host: str) -> str:
    parts = urlsplit(host)
    return f"{parts.scheme}://{parts.netloc}"
