"""Which way in the settings ask for."""

from __future__ import annotations

import secrets

from pipelines.runs.actor import actor
from pipelines.web.security.codes import CodeWay
from pipelines.web.security.cookies import cookie_name
from pipelines.web.security.proxies import ProxyWay
from pipelines.web.security.secret_files import TokenFile, read_key
from pipelines.web.security.tokens import TokenWay
from pipelines.web.settings import ProxyAuth, ServeSettings, TokenAuth

Way = CodeWay | TokenWay | ProxyWay


def way_of(settings: ServeSettings, port: int) -> Way:
    """Return it.

    Args:
        settings: Of the server.
        port: That it listens on.

    Raises:
        UserError: A file with secrets cannot be used.
    """
    auth, https = settings.auth, settings.https
    name = cookie_name("slimline", settings, port)
    if isinstance(auth, TokenAuth):
        return TokenWay(TokenFile(auth.file), name, https=https)
    if isinstance(auth, ProxyAuth):
        key = read_key(auth.key) if auth.key else secrets.token_urlsafe(32)
        return ProxyWay(auth, key, TokenFile(auth.tokens) if auth.tokens else None)
    return CodeWay(actor(), name, https=https)
