"""Cookies that no script reads, no other site has sent along, and no other site has set."""

from __future__ import annotations

import base64
import hashlib
import hmac

from starlette.responses import Response
from starlette.types import Scope

from pipelines.web.security.plain import header
from pipelines.web.settings import ServeSettings


def cookie(scope: Scope, name: str) -> str:
    """Return a cookie of a request, or "" where it is missing.

    Of two with one name another host has set one: whose it is nobody can tell, so neither counts.
    """
    pairs = (pair.partition("=") for pair in header(scope, "cookie").split(";"))
    found = [value.strip() for key, _, value in pairs if key.strip() == name]
    return found[0] if len(found) == 1 else ""


def cookie_name(name: str, settings: ServeSettings, port: int) -> str:
    """Return what a cookie is called.

    Behind https ``__Host-`` has browsers refuse one that a neighbouring host sets. It takes cookies
    of all paths alone; below a prefix those of this server are sent to no other server of the host,
    and ``__Secure-`` has browsers refuse what was set without https. Cookies are not kept apart by
    port, so without https the port is in the name: two services on one machine would sign each
    other's people out.
    """
    if not settings.https:
        return f"{name}-{port}"
    return f"__Secure-{name}" if settings.prefix else f"__Host-{name}"


def set_cookie(response: Response, name: str, value: str, *, https: bool, age_s: int) -> None:
    """Have the browser keep a cookie for so many seconds."""
    response.set_cookie(
        name, value, path="/", httponly=True, samesite="strict", secure=https, max_age=age_s
    )


def drop_cookie(response: Response, name: str, *, https: bool) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(name, path="/", secure=https, httponly=True, samesite="strict")


def sealed(text: str, key: str) -> str:
    """Return a text as a cookie holds it, with what tells that this server wrote it."""
    packed = packed_text(text)
    return f"{packed}.{_seal(packed, key)}"


def unsealed(value: str, key: str) -> str:
    """Return the text of a cookie that ``sealed`` made with this key, or ""."""
    packed, _, seal = value.partition(".")
    if not hmac.compare_digest(seal.encode(), _seal(packed, key).encode()):
        return ""
    return unpacked_text(packed)


def packed_text(text: str) -> str:
    """Return a text in characters that a cookie takes."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unpacked_text(packed: str) -> str:
    """Return the text that ``packed_text`` packed.

    Raises:
        ValueError: It packed none such.
    """
    return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()


def _seal(packed: str, key: str) -> str:
    return hmac.new(key.encode(), f"sealed {packed}".encode(), hashlib.sha256).hexdigest()
