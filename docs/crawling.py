"""Which addresses a server has: found by following links, without a window."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

from starlette.routing import compile_path

if TYPE_CHECKING:
    from playwright.sync_api import APIRequestContext

_LINKS = {"a": "href", "link": "href", "script": "src", "img": "src", "image": "href"}


@dataclass(frozen=True)
class Answer:
    """What came back for an address.

    Attributes:
        status: Of HTTP.
        kind: Of the content, such as ``text/html``.
        text: Of a page; empty for everything else.
    """

    status: int
    kind: str
    text: str


@dataclass
class Found(HTMLParser):
    """A page as its text has it, before any script.

    Attributes:
        title: Of the document.
        headings: Texts of all ``h1``.
        language: Of the document.
        links: Everything that it refers to, as it is written.
        fragments: What can be pointed at in it.
    """

    title: str = ""
    language: str = ""
    headings: list[str] = field(default_factory=list[str])
    links: list[str] = field(default_factory=list[str])
    fragments: set[str] = field(default_factory=set[str])
    _within: str = ""

    def __post_init__(self) -> None:
        """Begin."""
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        given = {name: value or "" for name, value in attrs}
        if tag in _LINKS and given.get(_LINKS[tag]):
            self.links.append(given[_LINKS[tag]])
        if "id" in given:
            self.fragments.add(given["id"])
        if tag == "html":
            self.language = given.get("lang", "")
        if tag == "h1":
            self.headings.append("")
        if tag in ("title", "h1"):
            self._within = self._within or tag
        if tag == "svg":  # a title within a picture is another thing
            self._within = "svg"

    def handle_endtag(self, tag: str) -> None:
        """See ``HTMLParser``."""
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        """See ``HTMLParser``."""
        if self._within == "title":
            self.title += data
        elif self._within == "h1":
            self.headings[-1] += data


@dataclass(frozen=True)
class Visited:
    """An address that was asked for.

    Attributes:
        answer: What came back.
        page: What stands in it, if it is a page.
    """

    answer: Answer
    page: Found | None


def read_page(text: str) -> Found:
    """Return what stands in a page."""
    found = Found()
    found.feed(text)
    found.close()
    return found


def asking(request: APIRequestContext) -> Callable[[str], Answer]:
    """Return what asks for addresses as a browser does that has signed in.

    What a page is not to trust, such as the report that a component wrote, is no page here.

    Args:
        request: Of that browser.
    """

    def ask(url: str) -> Answer:
        got = request.get(url)
        kind = got.headers.get("content-type", "").partition(";")[0]
        if "sandbox" in got.headers.get("content-security-policy", ""):
            kind = "sandboxed"
        return Answer(got.status, kind, got.text() if kind == "text/html" else "")

    return ask


def router(routes: Iterable[str]) -> Callable[[str], str]:
    """Return what tells by which route a path is answered; by its folder where it is none of them.

    Args:
        routes: As Starlette writes them; the first that matches answers.
    """
    patterns = {route: compile_path(route)[0] for route in routes}

    def route_of(path: str) -> str:
        folder = path.rpartition("/")[0] + "/*"
        return next((route for route, found in patterns.items() if found.match(path)), folder)

    return route_of


def crawl(
    begin: str,
    ask: Callable[[str], Answer],
    *,
    alike: Callable[[str], object],
    most: int = 4,
) -> Mapping[str, Visited]:
    """Follow all links of a server.

    Args:
        begin: An address of it.
        ask: Asks for an address.
        alike: Equal for the paths of addresses that the same code answers.
        most: So many that are alike, and have a query of the same names, are asked for.

    Returns:
        By address, in the order in which they were found.
    """
    origin = urlsplit(begin)[:2]
    asked: dict[str, Visited] = {}
    seen, counted = {begin}, Counter[object]()
    waiting = deque([begin])
    while waiting:
        address = waiting.popleft()
        asked[address] = visited = visit(address, ask)
        for link in visited.page.links if visited.page else ():
            there = urldefrag(urljoin(address, link)).url
            parts = urlsplit(there)
            names = frozenset(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
            same = (alike(parts.path), names)
            if there in seen or parts[:2] != origin or counted[same] >= most:
                continue
            seen.add(there)
            counted[same] += 1
            waiting.append(there)
    return asked


def visit(address: str, ask: Callable[[str], Answer]) -> Visited:
    """Ask for an address, and read what comes back."""
    answer = ask(address)
    return Visited(answer, read_page(answer.text) if answer.kind == "text/html" else None)
