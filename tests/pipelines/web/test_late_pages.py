"""Pages that are loaded behind a server that already takes connections."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message

from pipelines.web.late_pages import LatePages
from tests.pipelines.cli.command_line import python
from tests.pipelines.web.calling import carried_out

_STARTED = """
import json, sys
import pipelines.cli.main, pipelines.stores.opening, pipelines.web.serving, uvicorn
print(json.dumps(sorted(sys.modules)))
"""


class Behind:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def start(self) -> None:
        self.said.append("start")

    def stop(self) -> None:
        self.said.append("stop")


async def asked(app: ASGIApp) -> bytes:
    got: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        got.append(message)

    await app({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    return got[-1]["body"]


def test_the_link_is_printed_before_pages_are_loaded() -> None:
    loaded = set(json.loads(python(_STARTED)))
    assert "pipelines.web.security.sessions" in loaded
    pages = {name for name in loaded if name.startswith("pipelines.web.pages")}
    assert not pages | loaded & {"numpy", "pipelines.web.service", "pipelines.config.loading"}


def test_a_request_waits_for_pages_and_one_that_is_given_up_ends_no_other() -> None:
    go, behind = threading.Event(), Behind()

    def make() -> tuple[Behind, ASGIApp]:
        assert go.wait(20)
        return behind, PlainTextResponse("a page")

    pages = LatePages(make, lambda: None)

    async def ask() -> bytes:
        given_up, waiting = asyncio.create_task(asked(pages)), asyncio.create_task(asked(pages))
        await asyncio.sleep(0.01)
        assert given_up.cancel()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        go.set()
        assert await asked(pages) == b"a page"
        return await waiting

    pages.start()
    assert carried_out(ask()) == b"a page"
    assert behind.said == ["start"]
    pages.stop()
    assert behind.said == ["start", "stop"]


def test_what_cannot_be_loaded_ends_the_server_and_is_raised() -> None:
    ended = threading.Event()

    def make() -> tuple[Behind, ASGIApp]:
        raise ImportError("no module named pages")

    pages = LatePages(make, ended.set)
    pages.start()
    assert ended.wait(20)
    with pytest.raises(ImportError, match="named pages"):
        carried_out(asked(pages))
    with pytest.raises(ImportError, match="named pages"):
        pages.stop()
