"""Asks the application for pages and sends its forms, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode
from xml.etree.ElementTree import Element, TreeBuilder

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from pipelines.stores.store import Store
from pipelines.web.app import make_pages
from pipelines.web.guards import guarded
from pipelines.web.jobs import Jobs, StartedJob
from pipelines.web.security.sessions import RefusedError, Session
from pipelines.web.security.viewer import Viewer
from pipelines.web.service import Service
from pipelines.web.settings import ServeSettings
from tests.pipelines.waiting import finished_within

T = TypeVar("T")

HOST = "127.0.0.1:8080"
CSRF = "csrf-of-the-tests"
OWNER = Viewer("olga", "promote")
READER = Viewer("rita", "read")
_VIEWER = "tests.viewer"
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)


@dataclass(frozen=True)
class Answer:
    """What the application answered.

    Attributes:
        status: Of HTTP.
        headers: By name in small letters; of one that was given twice, the last.
        body: As it was sent.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def html(self) -> Element:
        """The body as elements, to be searched with ``find``, ``findall`` and ``iter``."""
        return parsed(self.text)


class App:
    """The application over a store, which is looked at when a test says so.

    Args:
        store: What its pages show.
        settings: How.
    """

    def __init__(self, store: Store, settings: ServeSettings | None = None) -> None:
        self.service = Service(store, settings or ServeSettings(store=store.uri))
        self._app = guarded(
            make_pages(self.service), self.service.settings, _Signed(), self.service.faults,
            self.service.requests,
        )  # fmt: skip
        self.refresh()

    def refresh(self) -> None:
        """Look at the store, as the service's own thread does every two seconds."""
        self.service.refresh()

    def get(
        self, path: str, *, viewer: Viewer = OWNER, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for a page, with its query."""
        asked = path.partition("#")[0]
        return carried_out(_call(self._app, "GET", asked, b"", headers or {}, viewer))

    def post(
        self,
        path: str,
        fields: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        *,
        viewer: Viewer = OWNER,
        headers: Mapping[str, str] | None = None,
        csrf: str | None = CSRF,
    ) -> Answer:
        """Send a form as a page of the application does.

        Args:
            path: Its action.
            fields: Beside the token.
            viewer: Who sends it.
            headers: Instead of those of a browser.
            csrf: The token; None leaves it out.
        """
        pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
        body = urlencode([*([("csrf", csrf)] if csrf is not None else []), *pairs]).encode()
        usual = {
            "origin": f"http://{HOST}",
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(body)),
        }
        return carried_out(
            _call(self._app, "POST", path, body, {**usual, **(headers or {})}, viewer)
        )


def carried_out(call: Coroutine[Any, Any, T]) -> T:
    """Carry out a call in a thread: tests in browsers leave a loop in the main one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, call).result()


class _Signed:
    """The way in of tests: who asks is what the test says."""

    asks_token = False
    cookie = None

    def session(self, scope: Scope) -> Session:
        return Session(scope[_VIEWER], (CSRF,))

    def enter(self, scope: Scope, fields: Mapping[str, str]) -> Response:
        raise RefusedError(403, "there is no link", "ask as one of the viewers")

    def leave(self, scope: Scope) -> None:
        return


async def _call(
    app: ASGIApp, method: str, path: str, body: bytes, headers: Mapping[str, str], viewer: Viewer
) -> Answer:
    route, _, query = path.partition("?")
    sent = {"host": HOST, **headers}
    scope: MutableMapping[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": unquote(route), "raw_path": route.encode(),
        "query_string": query.encode(), "root_path": "", "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "headers": [(key.lower().encode(), value.encode("latin-1")) for key, value in sent.items()],
        _VIEWER: viewer,
    }  # fmt: skip
    got: list[Message] = []
    over = asyncio.Event()
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:  # whoever asked waits for the answer, and goes then
            await over.wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        got.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            over.set()

    await app(scope, receive, send)
    start = got[0]
    told = {key.decode().lower(): value.decode("latin-1") for key, value in start["headers"]}
    return Answer(start["status"], told, b"".join(one.get("body", b"") for one in got[1:]))


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.builder = TreeBuilder()
        self.open: list[str] = []
        self.builder.start("document", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {key: value or "" for key, value in attrs})
        if tag in _VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {key: value or "" for key, value in attrs})
        self.builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open[-1] == tag, f"</{tag}> while <{self.open[-1]}> is open"
        self.open.pop()
        self.builder.end(tag)

    def handle_data(self, data: str) -> None:
        self.builder.data(data)


def parsed(text: str) -> Element:
    """Return a page as elements; what is not closed in order is a fault of the page."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert not parser.open, f"never closed: {parser.open}"
    parser.builder.end("document")
    return parser.builder.close()


def main_of(answer: Answer) -> Element:
    """Return what a page is about, without what all pages have."""
    assert answer.status == 200, answer.text
    main = answer.html.find(".//main")
    assert main is not None
    return main


def ended(jobs: Jobs, kind: str, name: str) -> StartedJob:
    """Wait for the end of a command that a page has started, and return it."""

    def found() -> StartedJob | None:
        job = jobs.find(kind, name)
        return None if job is None or job.going else job

    job = finished_within(120, found)
    assert job
    return job


def text_of(element: Element | None) -> str:
    """Return what a reader of an element sees, in one line."""
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def with_class(root: Element, name: str) -> list[Element]:
    """Return the elements of a class, in the order of the page."""
    return [one for one in root.iter() if name in one.get("class", "").split()]


def links_of(root: Element) -> dict[str, str]:
    """Return where links lead, by their text."""
    return {text_of(link): link.get("href", "") for link in root.iter("a")}


def forms_of(root: Element) -> dict[str, dict[str, str]]:
    """Return the fields of the forms that change something, with their values, by address."""
    return {
        form.get("action", ""): {
            field.get("name", ""): field.get("value", "")
            for kind in ("input", "textarea", "select")
            for field in form.iter(kind)
        }
        for form in root.iter("form")
        if form.get("method") == "post"
    }
