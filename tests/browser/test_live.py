"""Pages change in place while runs go on, and what somebody is doing in them is not disturbed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from pipelines.runs.live.events import StepDone, StepStarted
from tests.browser.conftest import PATIENCE_MS, Opened
from tests.browser.signing_in import ROOT, Served, served
from tests.data.filled_store import GoingOn, fill, going_on
from tests.pipelines.cli.command_line import written

_MARK = """() => {
  window.sameDocument = true;
  window.rows = new Map([...document.querySelectorAll('[data-rows] tbody tr')]
    .map((row) => [row.id, row]));
  window.changes = [];
  new MutationObserver((changes) => {
    for (const {target} of changes) {
      const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
      if (!element?.closest('time')) window.changes.push(element?.closest('tr')?.id ?? 'elsewhere');
    }
  }).observe(document.querySelector('main'), {subtree: true, childList: true,
    attributes: true, characterData: true});
}"""
_SAME_ROWS = """() => [...window.rows].every(([id, row]) => document.getElementById(id) === row)"""


@pytest.fixture(scope="module")
def live(chromium: Browser, tiny_run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A store of these tests' own, in which things happen."""
    folder = tmp_path_factory.mktemp("live")
    place = fill(tiny_run.store, folder)
    (folder / "serve.yaml").write_text("triggers: false\n")
    with served(chromium, place, folder, "--settings", str(folder / "serve.yaml")) as server:
        yield server


@pytest.fixture
def going(live: Served) -> Iterator[GoingOn]:
    with going_on(live.store) as going:
        yield going


def shown(opened: Opened, live: Served, path: str) -> Page:
    """A page that has been asked for again at least once, marked."""
    page = opened(state=live.state).new_page()
    page.goto(live.at(path), wait_until="load")
    with page.expect_response(lambda response: response.status == 304):
        pass
    page.evaluate(_MARK)
    return page


def tell(going: GoingOn, step: str) -> None:
    """A step of the run is done."""
    going.tell(StepStarted(step, "log"))
    going.tell(StepDone(step, "0" * 64, {}, f"runs/{going.run}/steps/{step}", False, 1.0, 1.0))


def test_a_state_changes_in_its_row_alone(opened, live, going):
    page = shown(opened, live, "/runs")
    row = page.locator(f"[id='run-{going.run}']")
    expect(row).to_contain_text("running")
    other = page.locator("[data-rows] tbody tr th a").nth(3)
    other.focus()
    page.evaluate("window.focused = document.activeElement")
    first = going.graph.ordered[0].name
    tell(going, first)
    expect(row.locator("[aria-label*='1 done']").first).to_be_visible()
    assert page.evaluate("window.sameDocument")
    assert page.evaluate(_SAME_ROWS)
    assert page.evaluate("document.activeElement === window.focused")
    # Beside rows the filters may offer another outcome by now.
    assert set(page.evaluate("window.changes")) - {"elsewhere"} == {f"run-{going.run}"}


def test_a_page_to_which_nothing_happens_does_not_change(opened, live, going):
    page = shown(opened, live, "/runs")
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status))
    page.wait_for_timeout(5000)
    assert set(statuses) == {304}
    assert page.evaluate("window.changes") == []


def test_a_run_that_begins_comes_on_top_and_one_that_is_killed_says_so(opened, live):
    page = shown(opened, live, "/runs")
    page.locator("[data-rows] tbody tr th a").nth(1).focus()
    page.evaluate("window.focused = document.activeElement")
    with going_on(live.store) as going:
        row = page.locator(f"[id='run-{going.run}']")
        expect(row).to_contain_text("running")
        assert page.evaluate(
            "document.querySelector('[data-rows] tbody tr').id"
        ) == f"run-{going.run}"  # fmt: skip
    expect(row).to_contain_text("broken")
    assert page.evaluate("window.sameDocument && document.activeElement === window.focused")
    assert page.evaluate(_SAME_ROWS)


def test_a_server_that_does_not_answer_is_told_and_found_again(opened, live):
    page = shown(opened, live, "/runs")
    page.context.set_offline(True)
    expect(page.locator("body")).to_have_class("away")
    page.context.set_offline(False)
    expect(page.locator("body")).not_to_have_class("away")
    assert page.evaluate("window.sameDocument")


def test_a_real_run_is_followed_to_its_end(opened, live, tmp_path):
    page = shown(opened, live, "/runs?outcome=")
    before = page.locator("[data-rows] tbody tr").count()
    config = written(tmp_path / "tiny.yaml", seed=7)
    command = [
        sys.executable, "-m", "pipelines.cli", "run", str(config), "--store", str(live.store),
        "--output", str(tmp_path / "out"),
    ]  # fmt: skip
    page.set_default_timeout(120_000)
    expect.set_options(timeout=120_000)
    try:
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
            expect(page.locator("[data-rows] tbody tr")).to_have_count(before + 1)
            row = page.locator("[data-rows] tbody tr").first
            expect(row).to_contain_text("running")
            expect(row.locator("[aria-label*=' done']").first).to_be_visible()
            expect(row).to_contain_text("done", use_inner_text=True)
            assert run.wait(60) == 0
        expect(row.locator(".state")).to_have_text("done")
        expect(row).to_contain_text("teacher-int8")
    finally:
        expect.set_options(timeout=PATIENCE_MS)
    assert page.evaluate("window.sameDocument")
    assert page.evaluate(_SAME_ROWS)
