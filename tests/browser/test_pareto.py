"""The Pareto picture explored by hand: a keyboard, a pointer, and neither scripts."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from tests.browser.conftest import Opened
from tests.browser.signing_in import Served, served
from tests.data.decisions import decision_of, select_outputs
from tests.data.kept_release import Writer, write_data

BOARD = "/runs/digits-1/board"


@pytest.fixture(scope="module")
def decided(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A run with three variants, served."""
    folder = tmp_path_factory.mktemp("decided")
    store = DirectoryStore(folder / "store")
    writer = Writer(Cache(store, folder / "scratch"), folder / "written")
    data = write_data(folder / "photos")
    writer.run("digits-1", data, instead=select_outputs(decision_of()))
    home = tmp_path_factory.mktemp("home")
    (home / "serve.yaml").write_text("triggers: false\n")
    settings = str(home / "serve.yaml")
    with served(chromium, folder / "store", home, "--settings", settings) as server:
        yield server


@pytest.fixture
def page(opened: Opened, decided: Served) -> Page:
    page = opened(state=decided.state).new_page()
    page.goto(decided.at(BOARD), wait_until="load")
    page.locator(".stage").scroll_into_view_if_needed()
    return page


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_arrow_keys_walk_through_variants_from_left_to_right(page):
    expect(page.locator(".readout")).to_have_attribute("aria-live", "polite")
    page.locator(".stage").focus()
    for key, name in [
        ("Home", "small"), ("ArrowRight", "good"), ("ArrowRight", "teacher"),
        ("ArrowRight", "teacher"), ("ArrowLeft", "good"), ("End", "teacher"),
    ]:  # fmt: skip
        page.keyboard.press(key)
        expect(page.locator(".readout strong")).to_have_text(name)
        marked = page.locator(".stage .wide .is-shown")
        expect(marked).to_have_attribute("data-variant", name)


def test_a_pointer_near_a_mark_shows_its_variant(page):
    box = page.locator('.stage .wide [data-variant="good"] .mark').bounding_box()
    assert box
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    expect(page.locator(".readout strong")).to_have_text("good")


def test_a_dragged_line_is_a_budget_that_the_server_judges(page, opened, decided):
    line = page.locator(".stage .wide .grip[data-budget=metric]").bounding_box()
    target = page.locator('.stage .wide [data-variant="good"] .mark').bounding_box()
    assert line
    assert target
    x = line["x"] + line["width"] / 2
    page.mouse.move(x, line["y"] + line["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, (line["y"] + target["y"]) / 2, steps=4)
    page.mouse.up()
    expect(page.locator(".told")).to_contain_text("good would win at")
    drop = float(query(page)["drop"])
    assert 0.009 < drop < 0.019
    assert page.locator("#dial-drop").input_value() == query(page)["drop"]
    other = opened(state=decided.state, scripts=False).new_page()
    other.goto(page.url)
    assert other.locator(".told").inner_text() == page.locator(".told").inner_text()
    assert other.locator(".board").first.inner_text() == page.locator(".board").first.inner_text()


def test_slides_move_by_keyboard(page):
    slide = page.get_by_label("Size, kB, moved")
    slide.focus()
    page.keyboard.press("Home")
    expect(page.locator(".told")).to_contain_text("Nothing would win at")
    assert float(query(page)["size_kb"]) < 9
    expect(slide).to_be_focused()


def test_a_floor_begins_at_none_and_is_moved_by_its_slide(page):
    slide = page.get_by_label("Least accuracy, moved")
    expect(slide).to_have_attribute("aria-valuetext", "no floor")
    expect(slide).to_have_value("0")
    slide.focus()
    page.keyboard.press("End")
    expect(page.locator(".told")).to_contain_text("Nothing would win at")
    assert query(page)["floor_accuracy"] == "1"
    page.locator("#dial-floor_accuracy").fill("0.965")
    expect(page.locator(".told")).to_contain_text("good would win at")


def test_what_is_written_is_judged_as_it_is_written(page):
    page.locator("#dial-latency_ms").fill("0.5")
    expect(page.locator(".told")).to_contain_text("small would win at 500 µs")
    page.locator("#dial-minimize").select_option("latency")
    expect(page.locator(".dials .why")).to_contain_text("alone of 2 candidates")
    page.get_by_role("link", name="Back to the budgets of the run").click()
    expect(page.locator(".told")).to_have_text("small wins at 2 ms, 100 kB, drop 0.020")


def test_without_scripts_a_form_moves_budgets(opened, decided):
    page = opened(state=decided.state, scripts=False).new_page()
    page.goto(decided.at(BOARD))
    assert page.locator("input[type=range]").count() == 0
    page.locator("#dial-drop").fill("0.01")
    page.get_by_role("button", name="Judge again").click()
    assert page.locator(".told").inner_text().startswith("good would win at")
    page.locator(".board").first.get_by_role("link", name="small").click()
    assert page.locator(".readout strong").inner_text() == "small"
