"""Answers of the guards, who know no templates, and what guards ask of a request."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send


def header(scope: Scope, name: str) -> str:
    """Return a header of a request, or "" where it is missing or given more than once."""
    found = Headers(scope=scope).getlist(name)
    return found[0] if len(found) == 1 else ""


async def refuse(
    scope: Scope, receive: Receive, send: Send, status: int, what: str, fix: str
) -> None:
    """Answer with a sentence, and what to do."""
    await PlainTextResponse(f"{what}\nfix: {fix}\n", status)(scope, receive, send)
