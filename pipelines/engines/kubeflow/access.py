"""How an API server is reached: its address, who asks, certificates and proxies."""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import kfp_server_api as api  # pyright: ignore[reportMissingTypeStubs]

from components.contract.errors import UserError

ENDPOINT = "KF_PIPELINES_ENDPOINT"
"""The variable that names the host where ``--host`` does not, as for the SDK of Kubeflow."""

TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 the name of a variable
"""The variable that names a file with a bearer token, as for the SDK of Kubeflow."""

_POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
_CA_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_INVERSE_PROXY = re.compile(r"\S+\.googleusercontent\.com")


def address(host: str | None) -> str:
    """Return the address of the API server, without a slash at its end.

    Args:
        host: As given; None takes what ``KF_PIPELINES_ENDPOINT`` names.

    Raises:
        UserError: Nothing names one, or it is none.
    """
    host = host or os.environ.get(ENDPOINT)
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


class Token:
    """What tells the server who asks: from a file, from Google, or none.

    Args:
        host: Address of the server.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._path = _token_path()

    def __str__(self) -> str:
        return f"the token in {self._path}" if self._path else "no token"

    def authorize(self, configuration: Any) -> None:
        """Read the token before each request: what projects it into pods replaces it.

        Raises:
            UserError: It cannot be had.
        """
        token = None
        if self._path:
            try:
                token = self._path.read_text().strip()
            except OSError as error:
                raise UserError(
                    f"the token file {self._path} cannot be read: {error.strerror}",
                    f"correct {TOKEN_PATH}",
                ) from error
        elif _INVERSE_PROXY.fullmatch(urlsplit(self._host).netloc):
            token = _google_token(self._host)
        if token:
            configuration.api_key["authorization"] = token
            configuration.api_key_prefix["authorization"] = "Bearer"


def configuration_of(host: str) -> Any:
    """Return the settings of the generated client: certificates and proxy of this machine."""
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

    from pipelines.stores.credentials import check_certificates, find_credentials
    from pipelines.stores.faults import cloud_faults

    check_certificates()
    with cloud_faults(host):
        scopes = ("https://www.googleapis.com/auth/cloud-platform",)
        credentials = find_credentials(host, scopes)
        credentials.refresh(Request())
    return credentials.token
