"""What holds of every page: a page that is added to the routes is looked at by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from playwright.sync_api import Browser
from starlette.routing import compile_path

from docs.crawling import Answer, crawl, read_page
from pipelines.web.app import ROUTES
from pipelines.web.view import PageRoute
from tests.browser.conftest import Opened
from tests.browser.page_checks import (
    Watched,
    accessibility_faults,
    content,
    document_faults,
    focus_faults,
    width_faults,
)
from tests.browser.signing_in import Served

PAGES = tuple(route.path for route in ROUTES if isinstance(route, PageRoute))
ASKED_FOR = ("/find?what=tiny",)
"""What no link leads to, but a form."""
_PATTERNS = {path: compile_path(path)[0] for path in PAGES}
_SAMPLES = 3


def route_of(path: str) -> str:
    """The route that answers a path; the path itself where none of a page does."""
    return next((route for route, pattern in _PATTERNS.items() if pattern.match(path)), path)


@pytest.fixture(scope="module")
def answers(chromium: Browser, filled: Served) -> Mapping[str, Answer]:
    """Everything that links lead to from the first page."""
    context = chromium.new_context(storage_state=filled.state)

    def ask(url: str) -> Answer:
        got = context.request.get(url, max_redirects=5)
        kind = got.headers.get("content-type", "").partition(";")[0]
        return Answer(got.status, kind, got.text() if kind == "text/html" else "")

    found = dict(crawl(filled.at("/"), ask, alike=route_of))
    found |= {filled.at(path): ask(filled.at(path)) for path in ASKED_FOR}
    context.close()
    return found


@pytest.fixture
def samples(answers: Mapping[str, Answer], request: pytest.FixtureRequest) -> Sequence[str]:
    """Some addresses of a route."""
    of = [
        url
        for url, answer in answers.items()
        if route_of(urlsplit(url).path) == request.getfixturevalue("route")
        and answer.kind == "text/html"
    ]
    if not of:
        pytest.skip("is no page of text, or test_links_lead_to_every_page says why")
    plain = [url for url in of if not urlsplit(url).query]
    return (plain or of)[:_SAMPLES]


def expect_none(wrong: Sequence[str]) -> None:
    """All of it is told, in lines."""
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_links_lead_to_every_page(answers):
    reached = {route_of(urlsplit(url).path) for url in answers}
    assert set(PAGES) - reached == set()


def test_whatever_is_linked_answers(answers):
    bad = {url: answer.status for url, answer in answers.items() if answer.status >= 400}
    linking = {
        url: [at for at, answer in answers.items() if url in _targets(at, answer)][:3]
        for url in bad
    }
    expect_none([f"{bad[url]} for {url}, linked at {linking[url]}" for url in bad])


def test_whatever_is_pointed_at_within_a_page_is_there(answers):
    missing = [
        (at, link)
        for at, answer in answers.items()
        for link in read_page(answer.text).links
        for url, fragment in [urldefrag(urljoin(at, link))]
        if fragment and url in answers and answers[url].kind == "text/html"
        and fragment not in read_page(answers[url].text).fragments
    ]  # fmt: skip
    expect_none([f"{at} points at {link}" for at, link in missing])


def _targets(at: str, answer: Answer) -> set[str]:
    return {urldefrag(urljoin(at, link)).url for link in read_page(answer.text).links}


@pytest.mark.parametrize("route", PAGES)
def test_a_page_has_no_fault(opened: Opened, filled: Served, route, samples):
    """In both themes and widths; of further addresses of a route in one each."""
    wrong: list[str] = []
    for width in (1280, 400):
        page = opened(width=width, state=filled.state).new_page()
        watched = Watched(page, filled.url)
        for number, url in enumerate(samples):
            page.goto(url, wait_until="load")
            found = [*document_faults(page), *width_faults(page)]
            for theme in ("light", "dark") if number == 0 else ("light",):
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                if number == 0 or width == 400:
                    found += [f"{theme}: {one}" for one in accessibility_faults(page)]
            found += focus_faults(page) if number == 0 else []
            found += watched.faults()
            wrong += [f"{url} at {width}: {one}" for one in found]
    expect_none(wrong)


@pytest.mark.parametrize("route", PAGES)
def test_a_page_says_the_same_without_scripts(opened: Opened, filled: Served, route, samples):
    contents = []
    for scripts in (True, False):
        page = opened(scripts=scripts, state=filled.state).new_page()
        page.goto(samples[0], wait_until="load")
        contents.append((page.title(), content(page)))
    assert contents[0] == contents[1]


@pytest.mark.parametrize("path", ["/", "/runs/nothing-20260101-000000-0000"])
def test_who_is_not_signed_in_sees_nothing(opened: Opened, filled: Served, path):
    page = opened().new_page()
    answer = page.goto(filled.at(path))
    assert answer
    assert answer.status in (401, 403)
    assert "tiny-" not in page.content()
    assert "sign" in page.content()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_that_is_not_there_says_what_to_do(opened: Opened, filled: Served, theme):
    page = opened(theme=theme, width=400, state=filled.state).new_page()
    answer = page.goto(filled.at("/runs/nothing-20260101-000000-0000"))
    assert answer
    assert answer.status == 404
    expect_none([*document_faults(page), *accessibility_faults(page), *width_faults(page)])
