"""How an API server is reached: its address, certificates and proxies."""

from __future__ import annotations

import os
import re
import urllib.request
from typing import Any, cast
from urllib.parse import urlsplit

import kfp_server_api as api  # pyright: ignore[reportMissingTypeStubs]

from components.contract.errors import UserError

ENDPOINT = "KF_PIPELINES_ENDPOINT"
"""The variable that names the host where ``--host`` does not, as for the SDK of Kubeflow."""

_CA_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def address(host: str | None) -> str:
    """Return the address of the API server, without a slash at its end.

    Args:
        host: As given; None takes what ``KF_PIPELINES_ENDPOINT`` names.

    Raises:
        UserError: Nothing names one, or it is none.
    """
    host = host or os.environ.get(ENDPOINT)
    if not host:
        inside = "; in a pod: --host http://ml-pipeline.kubeflow:8888"
        raise UserError(
            "nothing says where Kubeflow Pipelines is",
            f"--host https://HOST/pipeline, or export {ENDPOINT}=https://HOST/pipeline"
            f"{inside if os.environ.get('KUBERNETES_SERVICE_HOST') else ''}",
        )
    if not _is_address(host):
        raise UserError(
            f"--host {host} is no address: expected a scheme, a host and perhaps a path",
            "write it like https://HOST/pipeline",
        )
    return host.rstrip("/")


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
