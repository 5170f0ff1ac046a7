"""What holds of every page: a page that is added to the routes is looked at by itself."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from playwright.sync_api import Browser

from docs.crawling import Visited, asking, crawl, router, visit
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
BY_SCRIPT = {"/runs/{run}/steps/{step}/log"}
"""What only a script asks for."""
route_of = router(PAGES)
_SAMPLES = 1


@pytest.fixture(scope="module")
def answers(chromium: Browser, filled: Served) -> Mapping[str, Visited]:
    """Everything that links lead to from the first page."""
    context = chromium.new_context(storage_state=filled.state)

    ask = asking(context.request)
    found = dict(crawl(filled.at("/"), ask, alike=route_of))
    found |= {filled.at(path): visit(filled.at(path), ask) for path in ASKED_FOR}
    context.close()
    return found


@pytest.fixture
def samples(answers: Mapping[str, Visited], request: pytest.FixtureRequest) -> Sequence[str]:
    """Some addresses of a route."""
    of = [
        url
        for url, visited in answers.items()
        if visited.page
        and visited.answer.status == 200
        and route_of(urlsplit(url).path) == request.getfixturevalue("route")
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
    assert set(PAGES) - reached - BY_SCRIPT == set()


def test_whatever_is_linked_answers(answers):
    linking: dict[str, dict[str, None]] = {}
    for at, visited in answers.items():
        for link in visited.page.links if visited.page else ():
            linking.setdefault(urldefrag(urljoin(at, link)).url, {})[at] = None
    expect_none([
        f"{visited.answer.status} for {url}, linked at {list(linking.get(url, ('no page',)))[:2]}"
        for url, visited in answers.items()
        if visited.answer.status >= 400
    ])  # fmt: skip


def test_whatever_is_pointed_at_within_a_page_is_there(answers):
    pages = {url: visited.page for url, visited in answers.items() if visited.page}
    expect_none([
        f"{at} points at {link}"
        for at, page in pages.items()
        for link in page.links
        for url, fragment in [urldefrag(urljoin(at, link))]
        if fragment and url in pages and fragment not in pages[url].fragments
    ])  # fmt: skip


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
            found += focus_faults(page) if (number, width) == (0, 1280) else []
            found += watched.faults()
            wrong += [f"{url} at {width}: {one}" for one in found]
    expect_none(wrong)


@pytest.mark.parametrize("route", PAGES)
def test_a_page_says_the_same_without_scripts(opened: Opened, filled: Served, route, samples):
    contents = []
    for scripts in (True, False):
        page = opened(scripts=scripts, state=filled.state).new_page()
        page.goto(samples[0], wait_until="load")
        # How long a run has been running, and how full a disk is, changes meanwhile.
        contents.append([re.sub(r"\d[\d.,]*", "#", one) for one in (page.title(), *content(page))])
    told = difflib.unified_diff(*contents, "with scripts", "without", lineterm="", n=0)
    expect_none([f"{samples[0]}: {line}" for line in told])


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
