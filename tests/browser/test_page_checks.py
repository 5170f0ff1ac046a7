"""Every check finds the fault that it is there for, and nothing on a page without faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from docs.crawling import Answer, crawl, read_page
from tests.browser.page_checks import (
    Watched,
    accessibility_faults,
    content,
    document_faults,
    focus_faults,
    width_faults,
)

SOUND = """<!doctype html><html lang=en><title>A page</title><main><h1>A page</h1>
<p>Some text, <a href="/other">a link</a> and <button>a button</button></p>
<svg width=10 height=10 role=img aria-label="a picture"><title>a picture</title></svg></main>"""

FAULTY = {
    "no-title": SOUND.replace("<title>A page</title>", ""),
    "two-headings": SOUND.replace("<p>", "<h1>Another</h1><p>"),
    "no-language": SOUND.replace(" lang=en", ""),
    "wide": SOUND.replace("<p>", "<div style='width: 900px'>wide</div><p>"),
    "unnamed-button": SOUND.replace("a button", ""),
    "pale": SOUND.replace("<p>", "<p style='color: #ccc; background: #fff'>"),
    "pale-in-the-dark": SOUND.replace(
        "<p>", "<style>@media (prefers-color-scheme: dark) {p {color: #333; background: #000}}"
        "</style><p>",
    ),
    "unseen-focus": SOUND.replace("<p>", "<style>:focus {outline: none}</style><p>"),
    "trapped": SOUND.replace(
        "<p>", "<input aria-label=trap onkeydown='event.preventDefault()'><p>"
    ),
    "script": SOUND + "<script>missing()</script>",
    "console": SOUND + "<script>console.error('bad')</script>",
    "missing-image": SOUND + "<img src=/nothing.png alt=''>",
    "elsewhere": SOUND + "<img src=http://127.0.0.1:9/x.png alt=''>",
    "strict": SOUND.replace("<p>", "<img src=/x.png><p style='color: red'>"),
    "written-by-script": SOUND + "<script>document.querySelector('p').textContent = 'x'</script>",
}  # fmt: skip


def _page(request: Request) -> Response:
    name = request.path_params["name"]
    text = SOUND if name == "other" else FAULTY.get(name, "")
    policy = {"Content-Security-Policy": "default-src 'none'"} if name == "strict" else {}
    return HTMLResponse(text or "no", 200 if text else 404, headers=policy)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A server with a sound page and faulty ones."""
    app = Starlette(routes=[Route("/{name}", _page)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def faults(opened, site: str, name: str, **how) -> list[str]:
    page = opened(**how).new_page()
    watched = Watched(page, site)
    page.goto(f"{site}/{name}", wait_until="load")
    return [
        *document_faults(page),
        *accessibility_faults(page),
        *width_faults(page),
        *focus_faults(page),
        *watched.faults(),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_found_on_a_sound_page(opened, site, theme, width):
    found = faults(opened, site, "other", theme=theme, width=width)
    # A browser asks for this by itself where a page names no icon.
    assert [one for one in found if "favicon" not in one and "404" not in one] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no-title", "the page has no title"),
        ("two-headings", "2 elements h1"),
        ("no-language", "axe html-has-lang"),
        ("wide", "the page scrolls sideways"),
        ("unnamed-button", "axe button-name"),
        ("pale", "axe color-contrast"),
        ("unseen-focus", "nothing shows that it has the focus"),
        ("trapped", "Tab does not reach"),
        ("script", "script: missing is not defined"),
        ("console", "console: bad"),
        ("missing-image", "404 for"),
        ("strict", "Content Security Policy"),
        ("strict", "axe image-alt"),  # it works on pages that let no other script in
        ("elsewhere", "asked another server"),
    ],
)
def test_a_fault_is_found(opened, site, name, said):
    assert any(said in one for one in faults(opened, site, name, width=400))


def test_a_fault_of_one_theme_is_found_there_alone(opened, site):
    light, dark = (
        faults(opened, site, "pale-in-the-dark", theme=theme) for theme in ("light", "dark")
    )
    assert not any("color-contrast" in one for one in light)
    assert any("color-contrast" in one for one in dark)


def test_what_only_a_script_writes_is_found(opened, site):
    def written(*, scripts: bool) -> list[str]:
        page = opened(scripts=scripts).new_page()
        page.goto(f"{site}/written-by-script")
        return content(page)

    assert written(scripts=True) != written(scripts=False)


def test_a_crawl_finds_what_links_lead_to_and_stops_where_much_is_alike():
    pages = {
        "http://x/": '<a href="/a?p=1">1</a><a href="b#there">2</a><a href="http://y/">3</a>',
        **{f"http://x/a?p={n}": f'<a href="?p={n + 1}">next</a>' for n in range(20)},
        "http://x/b": "<img src=/gone.png>",
    }

    def ask(url: str) -> Answer:
        return Answer(200, "text/html", pages[url]) if url in pages else Answer(404, "", "")

    found = crawl("http://x/", ask, alike=lambda path: path, most=3)
    assert [url.removeprefix("http://x") for url in found] == [
        "/", "/a?p=1", "/b", "/a?p=2", "/gone.png", "/a?p=3",
    ]  # fmt: skip
    assert found["http://x/gone.png"].answer.status == 404


def test_a_page_is_read_as_a_browser_reads_it():
    found = read_page(SOUND)
    assert (found.title, found.headings, found.language) == ("A page", ["A page"], "en")
    assert found.links == ["/other"]
