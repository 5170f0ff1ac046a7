"""What people do through pages, by keyboard alone: the store says who did what, and why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from pipelines.runs.actions import list_actions
from pipelines.runs.actor import actor
from pipelines.runs.cache import Cache
from pipelines.runs.live.cancelling import read_cancellation
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.releases.release_log_entries import LogEntry
from pipelines.stores.opening import open_store
from pipelines.triggers.kept import read_trigger
from tests.browser.conftest import Opened
from tests.browser.signing_in import Served, served
from tests.data.challengers import NAME, Run, write_run
from tests.data.filled_store import fill, going_on
from tests.data.releases import entry_of

_STOPS = 300
_GATE_MS = 120_000
FIRST, BETTER, WORSE = (f"{NAME}-20261126-20000{number}-000{number}" for number in range(3))
"""Runs whose releases the gate compares for real: the second is newer than the first, and so on."""


@pytest.fixture(scope="module")
def acting(
    chromium: Browser, tiny_run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A store of these tests' own, in which things are done."""
    folder = tmp_path_factory.mktemp("acting")
    place = fill(tiny_run.store, folder)
    store = open_store(str(place))
    cache = Cache(store, folder / "scratch")
    first, *_ = [
        write_run(cache, Run(run, noise, trained=range(40 * number, 40 * number + 40)))
        for number, (run, noise) in enumerate(((FIRST, 0.3), (BETTER, 0.0), (WORSE, 2.0)))
    ]
    entry = entry_of(first.release, name=NAME, run=FIRST)
    assert append(store, read_log(store, NAME), entry)
    (folder / "serve.yaml").write_text("triggers: false\n")
    with served(chromium, place, folder, "--settings", str(folder / "serve.yaml")) as server:
        yield server


@pytest.fixture
def page(opened: Opened, acting: Served) -> Page:
    return opened(state=acting.state).new_page()


def tab_to(page: Page, selector: str, text: str = "") -> None:
    """Press Tab until such an element has the focus."""
    for _ in range(_STOPS):
        page.keyboard.press("Tab")
        if page.evaluate(
            "([selector, text]) => document.activeElement.matches(selector)"
            " && document.activeElement.textContent.trim().startsWith(text)",
            [selector, text],
        ):
            return
    pytest.fail(f"Tab does not reach {selector} {text}")


def do(page: Page, words: str, reason: str) -> None:
    """Open a form by its words, give a reason and send it."""
    tab_to(page, "summary", words)
    page.keyboard.press("Enter")
    tab_to(page, "input[name=reason]")
    page.keyboard.type(reason)
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_be_visible()


def test_a_run_is_cancelled_with_a_reason(page, acting):
    with going_on(acting.store) as going:
        page.goto(acting.at("/runs"))
        link = page.locator(f"a[href='/runs/{going.run}']").first
        expect(link).to_be_visible()
        page.goto(acting.at(f"/runs/{going.run}"))
        do(page, "Cancel", "wrong data <b>&amp;")
        asked = read_cancellation(open_store(str(acting.store)), going.run)
    assert asked
    assert (asked.actor, asked.reason) == (actor(), "wrong data <b>&amp;")
    (newest, *_) = list_actions(open_store(str(acting.store)), 5)
    assert (newest.actor, newest.action, newest.what) == (actor(), "cancel", going.run)
    assert newest.reason == "wrong data <b>&amp;"


def test_what_was_done_is_said_once(page, acting):
    page.goto(acting.at("/triggers/yearly"))
    do(page, "Pause", "no data in summer")
    expect(page.locator("main")).to_contain_text("o data in summer")  # a sentence
    assert "no data in summer" in read_trigger(open_store(str(acting.store)), "yearly").paused
    page.reload()
    expect(page.locator(".said")).to_have_count(0)
    tab_to(page, "button", "Resume")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_be_visible()
    assert read_trigger(open_store(str(acting.store)), "yearly").paused == ""


def test_a_form_without_a_reason_is_not_sent(page, acting):
    page.goto(acting.at("/triggers/yearly"))
    tab_to(page, "summary", "Pause")
    page.keyboard.press("Enter")
    tab_to(page, "input[name=reason]")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    expect(page.locator(".said")).to_have_count(0)
    assert page.url.endswith("/triggers/yearly")
    assert read_trigger(open_store(str(acting.store)), "yearly").paused == ""


def test_a_reason_that_is_being_typed_stays_while_the_page_changes(page, acting):
    with going_on(acting.store) as going:
        page.goto(acting.at("/triggers/yearly"))
        tab_to(page, "summary", "Pause")
        page.keyboard.press("Enter")
        tab_to(page, "input[name=reason]")
        page.keyboard.type("half a")
        with page.expect_response(lambda one: one.status == 200 and one.url.endswith("/yearly")):
            pass  # a run began, so the page is made anew
        page.keyboard.type(" sentence")
        assert page.evaluate("document.activeElement.value") == "half a sentence"
        assert page.locator("details[open] input[name=reason]").count() == 1
        assert going.run


def test_forms_work_without_scripts(opened, acting):
    page = opened(scripts=False, state=acting.state).new_page()
    page.goto(acting.at("/triggers/uploads"))
    page.locator("summary", has_text="Pause").click()
    page.locator("details[open] input[name=reason]").fill("maintenance")
    page.locator("details[open] button", has_text="Pause").click()
    expect(page.locator(".said")).to_be_visible()
    assert "maintenance" in read_trigger(open_store(str(acting.store)), "uploads").paused


def champion(acting: Served) -> LogEntry:
    return read_log(open_store(str(acting.store)), NAME).entries[-1]


def ask_the_gate(page: Page, run: str, reason: str) -> None:
    """Ask for the promotion of a candidate."""
    for _ in range(_STOPS):
        page.keyboard.press("Tab")
        if page.evaluate(
            "(id) => document.activeElement.matches(`[id='${id}'] input[name=reason]`)",
            f"candidate-{run}",
        ):
            break
    page.keyboard.type(reason)
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_be_visible()


def test_a_release_is_promoted_where_the_gate_agrees_and_the_page_hears_it(page, acting):
    page.goto(acting.at(f"/releases/{NAME}"))
    ask_the_gate(page, BETTER, "better on every image")
    page.evaluate("window.sameDocument = true")
    expect(page.locator(".champion")).to_contain_text(BETTER, timeout=_GATE_MS)
    assert page.evaluate("window.sameDocument")
    entry = champion(acting)
    assert (entry.run, entry.actor, entry.forced) == (BETTER, actor(), False)
    told = list_actions(open_store(str(acting.store)), 20)
    assert (f"{NAME}@{BETTER}", "better on every image") in [(one.what, one.reason) for one in told]


def test_what_the_gate_refuses_is_promoted_by_who_answers_for_it(page, acting):
    before = champion(acting)
    page.goto(acting.at(f"/releases/{NAME}"))
    ask_the_gate(page, WORSE, "looks better")
    refused = page.locator(f"[id='candidate-{WORSE}'] summary", has_text="Promote all the same")
    expect(refused).to_be_visible(timeout=_GATE_MS)
    assert champion(acting) == before
    do(page, "Promote all the same", "the gate asks for too much")
    expect(page.locator(".champion")).to_contain_text(WORSE, timeout=_GATE_MS)
    after = champion(acting)
    assert (after.run, after.actor, after.forced) == (WORSE, actor(), True)
    assert after.reason == "the gate asks for too much"
