"""The connection to Google Cloud Storage: who asks, and over which network."""

from __future__ import annotations

import os
import re
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage  # pyright: ignore[reportMissingTypeStubs]
from requests.adapters import HTTPAdapter

from components.contract.errors import UserError
from pipelines.stores.credentials import check_certificates, find_credentials
from pipelines.stores.faults import EMULATOR, cloud_faults, service_host

CONNECTIONS = 32
"""Connections kept open to the service; also the most requests at a time."""

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_ADDRESS = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[^/:\s]+)(:[0-9]+)?(/\S*)?")


def connect(uri: str) -> Any:
    """Return a ``google.cloud.storage.Client`` that many threads can use at a time.

    Args:
        uri: The place that is to be reached, named when something is amiss.

    Raises:
        UserError: There are no credentials or certificates that can be used, or the address of an
            emulator is malformed.
    """
    emulator = os.environ.get(EMULATOR)
    if emulator and not _ADDRESS.fullmatch(emulator):
        raise UserError(
            f"{EMULATOR} is {emulator!r}: expected a scheme, a host and a port",
            f"export {EMULATOR}=http://localhost:9000, or unset it to use Google's service",
        )
    if service_host().startswith("https://"):
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
