"""Cookies that no script reads and no other site has sent along."""

from __future__ import annotations

from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from pipelines.web.security.plain import header


def cookie(scope: Scope, name: str) -> str:
    """Return a cookie of a request, or ""."""
    return cookie_parser(header(scope, "cookie")).get(name, "")


def set_cookie(response: Response, name: str, value: str) -> None:
    """Have the browser keep a cookie until it is closed."""
    response.set_cookie(name, value, path="/", httponly=True, samesite="strict")
