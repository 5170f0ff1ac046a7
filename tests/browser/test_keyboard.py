"""Everything by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from pipelines.web.view import MENU
from tests.browser.conftest import Opened
from tests.browser.signing_in import Served


@pytest.fixture
def page(opened: Opened, filled: Served) -> Page:
    page = opened(state=filled.state).new_page()
    page.goto(filled.at("/runs"), wait_until="load")
    return page


def _focused(page: Page) -> str:
    return page.evaluate(
        "document.activeElement.getAttribute('href') ?? document.activeElement.name"
    )


def test_a_slash_begins_a_search_in_which_letters_are_letters(page):
    page.keyboard.press("/")
    assert _focused(page) == "what"
    page.keyboard.type("grj/?k")
    assert page.locator(".find input").input_value() == "grj/?k"
    expect(page.locator("dialog")).not_to_be_visible()
    page.keyboard.press("Escape")
    assert _focused(page) != "what"


def test_a_question_mark_lists_the_keys_and_escape_closes_the_list(page):
    page.keyboard.press("j")
    row = _focused(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    for name, _, _ in MENU:
        expect(page.get_by_role("dialog")).to_contain_text(name)
    page.keyboard.press("g")
    page.keyboard.press("h")  # keys of the page behind do nothing
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    assert page.url.endswith("/runs")
    assert _focused(page) == row


@pytest.mark.parametrize(("name", "address", "key"), MENU)
def test_g_and_a_letter_go_to_a_page(page, name, address, key):
    page.keyboard.press("g")
    page.keyboard.press(key)
    page.wait_for_url(f"**{address}")
    assert page.locator(".menu [aria-current]").inner_text() == name


def test_rows_are_walked_through_and_opened(page):
    links = page.locator("[data-rows] tbody tr th a")
    addresses = [links.nth(number).get_attribute("href") for number in range(links.count())]
    assert len(addresses) > 3
    walked = []
    for key in ("k", "j", "j", "k", "j"):
        page.keyboard.press(key)
        walked.append(_focused(page))
    assert walked == [addresses[n] for n in (0, 1, 2, 1, 2)]
    for _ in addresses:
        page.keyboard.press("j")
    assert _focused(page) == addresses[-1]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{addresses[-1]}")


def test_keys_of_the_browser_stay_the_browsers(page):
    page.keyboard.press("Control+j")
    page.keyboard.press("Control+/")
    assert _focused(page) != "what"
    assert page.url.endswith("/runs")


def test_the_first_stop_leads_past_the_menu(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
