"""The connection to Google Cloud Storage: who asks, over which network, and for how long."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage  # pyright: ignore[reportMissingTypeStubs]
from requests.adapters import HTTPAdapter

from components.contract.errors import UserError
from pipelines.stores.credentials import check_certificates, find_credentials
from pipelines.stores.faults import EMULATOR, cloud_faults, may_pass, service_host

CONNECTIONS = 32
"""Connections kept open to the service; also the most requests at a time."""

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_ADDRESS = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[^/:\s]+)(:[0-9]+)?(/\S*)?")


@dataclass(frozen=True)
class RetryPolicy:
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
