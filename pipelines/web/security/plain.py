"""Answers of the guards, and what guards ask of a request."""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send


def header(scope: Scope, name: str) -> str:
    """Return a header of a request, or "" where it is missing or given more than once."""
    found = Headers(scope=scope).getlist(name)
    return found[0] if len(found) == 1 else ""


def is_page(scope: Scope) -> bool:
    """Whether a browser asks for a page that it shows."""
    return scope["method"] in ("GET", "HEAD", "POST") and "text/html" in header(scope, "accept")


def address_of(scope: Scope) -> str:
    """Return the address that was asked for, without the host."""
    query = scope["query_string"].decode("latin-1")
    return quote(scope["path"]) + (f"?{query}" if query else "")


async def refuse(
    scope: Scope, receive: Receive, send: Send, status: int, what: str, fix: str
) -> None:
    """Answer with a sentence, and what to do."""
    scope["slimline.refused"] = what
    await PlainTextResponse(f"{what}\nfix: {fix}\n", status)(scope, receive, send)
