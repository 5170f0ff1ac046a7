"""The connection to an API server of Kubeflow Pipelines: who asks, retries, faults said clearly.

Built on ``kfp_server_api``, the client that is generated from the server's own description, and not
on ``kfp.Client``: that one takes seconds to load, writes into the user's home and tries an
unreachable host for 25 seconds before it says so.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import kfp_server_api as api  # pyright: ignore[reportMissingTypeStubs]
import urllib3.exceptions

from components.contract.errors import UserError
from pipelines.stores.connection import Patience

ENDPOINT = "KF_PIPELINES_ENDPOINT"
"""The variable that names the host where ``--host`` does not, as for the SDK of Kubeflow."""

TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 the name of a variable
"""The variable that names a file with a bearer token, as for the SDK of Kubeflow."""

_POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
_CA_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_INVERSE_PROXY = re.compile(r"\S+\.googleusercontent\.com")
_PASSING = (429, 500, 502, 503, 504)
_LOGIN = (301, 302, 303, 307, 308, 401)
_PAGE = 100
_LONGEST_WAIT_S = 8.0
_SHOWN_CHARACTERS_MAX = 300

Answer = TypeVar("Answer")
Resource = Any
"""A message of the generated client, which has no types."""


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
_FAILING = (
    "{host} {how} until the deadline of {deadline_s:g} s: {message}",
    (
        "check the address, the network and the proxy, or open a way: "
        "kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80"
    ),
)


class Connection:
    """An API server, found and known to speak v2beta1.

    Args:
        host: Address with scheme, such as ``https://kubeflow.example.org/pipeline``; None takes
            ``KF_PIPELINES_ENDPOINT``.
        namespace: The user's, where the installation has several users.
        patience: How long requests are tried.

    Raises:
        UserError: No host, none that can be reached, one that does not speak v2beta1 or does not
            know who asks; a namespace where there are none, or none where one is needed.
    """

    def __init__(
        self, host: str | None, namespace: str | None = None, patience: Patience | None = None
    ) -> None:
        self.patience = patience or Patience(deadline_s=60.0)
        self.host = _address(host or os.environ.get(ENDPOINT))
        self.namespace = namespace or ""
        self._token_path = _token_path()
        configuration = _configuration(self.host)
        self._authorize(configuration)  # the client asks for a new token only where it has one
        configuration.refresh_api_key_hook = self._authorize
        client = cast("Any", api).ApiClient(configuration)
        generated = cast("Any", api)
        self.pipelines: Resource = generated.PipelineServiceApi(client)
        self.uploads: Resource = generated.PipelineUploadServiceApi(client)
        self.experiments: Resource = generated.ExperimentServiceApi(client)
        self.runs: Resource = generated.RunServiceApi(client)
        self.recurring: Resource = generated.RecurringRunServiceApi(client)
        self._health: Resource = generated.HealthzServiceApi(client)
        self._check_access()

    def page_of(self, run: str) -> str:
        """Return the address of a run's page in the user interface."""
        return f"{self.host}/#/runs/details/{run}"

    def ask(self, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Call a method of the generated client, again for as long as its failure may pass.

        For questions, and for orders that may be given twice.

        Raises:
            AlreadyExistsError: The server has something of that name.
            LookupError: The server has nothing of that identifier.
            UserError: It cannot be done, or not within the deadline.
        """
        deadline = time.monotonic() + self.patience.deadline_s
        wait_s = self.patience.wait_s
        while True:
            try:
                return self._call(call, *arguments, **named)
            except (urllib3.exceptions.HTTPError, api.ApiException) as error:
                remaining_s = deadline - time.monotonic()
                if not _may_pass(error) or remaining_s <= 0:
                    raise self._fault(error) from error
            # As long as the last wait on average, and never past the deadline.
            time.sleep(min(wait_s * random.uniform(0.5, 1.5), remaining_s))  # noqa: S311
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def order(self, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Call a method of the generated client once, because twice would do it twice.

        Raises:
            ReplyLostError: It may or may not have been done.
            UserError: It was refused.
        """
        try:
            return self._call(call, *arguments, **named)
        except (urllib3.exceptions.HTTPError, api.ApiException) as error:
            if _may_pass(error):
                raise ReplyLostError(str(self._fault(error))) from error
            raise self._fault(error) from error

    def all(self, call: Callable[..., Any], rows: str, **named: Any) -> Iterator[Resource]:
        """Yield what a listing method gives, from all of its pages.

        Args:
            call: The method.
            rows: The attribute of its answer that holds the rows.
            named: What it is asked with, the same for each page.
        """
        token = ""
        while True:
            page: Any = self.ask(call, page_size=_PAGE, page_token=token, **named)
            yield from getattr(page, rows) or ()
            token = page.next_page_token
            if not token:
                return

    def _call(self, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        return call(*arguments, _request_timeout=self.patience.timeout, **named)

    def _check_access(self) -> None:
        """Ask the server how it is, and hold the namespace against its answer."""
        what = f"{self.host} answers, but not as the API v2beta1 of Kubeflow Pipelines"
        fix = (
            f"open {self.host}/apis/v2beta1/healthz: it must show JSON. Where it does not, "
            "correct --host (often it ends in /pipeline), or update Kubeflow Pipelines to 2.0"
        )
        try:
            answer: Any = self.ask(self._health.healthz_service_get_healthz_with_http_info)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UserError(what, fix) from error
        health, _, headers = answer
        if "json" not in headers.get("Content-Type", ""):  # a page for people
            raise UserError(what, fix)
        several = bool(health.multi_user)
        if several and not self.namespace:
            raise UserError(
                f"{self.host} has several users, and nothing says whose namespace is meant",
                "name yours: --namespace NAME",
            )
        if self.namespace and not several:
            raise UserError(
                f"{self.host} is an installation for one user, which has no namespaces",
                f"leave --namespace {self.namespace} out",
            )

    def _authorize(self, configuration: Any) -> None:
        """Read the token before each request: what projects it into pods replaces it."""
        token = None
        if self._token_path:
            try:
                token = self._token_path.read_text().strip()
            except OSError as error:
                raise UserError(
                    f"the token file {self._token_path} cannot be read: {error.strerror}",
                    f"correct {TOKEN_PATH}",
                ) from error
        elif _INVERSE_PROXY.fullmatch(urlsplit(self.host).netloc):
            token = _google_token(self.host)
        if token:
            configuration.api_key["authorization"] = token
            configuration.api_key_prefix["authorization"] = "Bearer"

    def _fault(self, error: Exception) -> Exception:
        """Say what the user can do."""
        status: int = getattr(error, "status", None) or 0
        if status in _EXPECTED:
            return _EXPECTED[status](_message(error))
        what, fix = _FAULTS.get(401 if status in _LOGIN else status) or (
            _REFUSED if status and status not in _PASSING else _FAILING
        )
        facts = {
            "host": self.host,
            "inside": f" in the namespace {self.namespace}" if self.namespace else "",
            "token": f"the token in {self._token_path}" if self._token_path else "no token",
            "how": f"fails ({status})" if status else "could not be reached",
            "deadline_s": self.patience.deadline_s,
            "message": _message(error) or "it says no more",
        }
        return UserError(what.format(**facts), fix.format(**facts))


def equals(key: str, value: str) -> str:
    """Return the filter that lets through what has this value; case does not count."""
    predicate = {"operation": "EQUALS", "key": key, "string_value": value}
    return json.dumps({"predicates": [predicate]})


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed when it is sent again."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        return True
    return getattr(error, "status", None) in _PASSING


def _address(host: str | None) -> str:
    if not host:
        raise UserError(
            "nothing says where Kubeflow Pipelines is",
            f"--host https://HOST/pipeline, or export {ENDPOINT}=https://HOST/pipeline",
        )
    if not _is_address(host):
        raise UserError(
            f"--host {host} is no address: expected a scheme, a host and perhaps a path",
            "write it like https://HOST/pipeline",
        )
    return host.rstrip("/")


def _is_address(host: str) -> bool:
    try:
        parts = urlsplit(host)
        named = parts.hostname and parts.port != 0  # the port is read here, and may be none
    except ValueError:
        return False
    whole = bool(named) and not (parts.query or parts.fragment or re.search(r"\s", host))
    return whole and parts.scheme in ("http", "https")


def _token_path() -> Path | None:
    named = os.environ.get(TOKEN_PATH)
    if named:
        return Path(named)
    return _POD_TOKEN if _POD_TOKEN.exists() else None


def _google_token(host: str) -> str:
    from google.auth.transport.requests import Request

    from pipelines.stores.connection import cloud_faults
    from pipelines.stores.credentials import check_certificates, find_credentials

    check_certificates()
    with cloud_faults(host):
        scopes = ("https://www.googleapis.com/auth/cloud-platform",)
        credentials = find_credentials(host, scopes)
        credentials.refresh(Request())
    return credentials.token


def _configuration(host: str) -> Any:
    configuration: Any = cast("Any", api).Configuration(host=host)
    configuration.retries = False  # this module's own, and no redirects to pages for people
    for variable in _CA_BUNDLES:
        if bundle := os.environ.get(variable):
            configuration.ssl_ca_cert = bundle
            break
    parts = urlsplit(host)
    if not urllib.request.proxy_bypass(parts.hostname or ""):
        configuration.proxy = urllib.request.getproxies().get(parts.scheme)
    return configuration


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
