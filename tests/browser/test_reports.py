"""The report and the card that people pass on: nothing of them is cut off, on phones and desks."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from components.artifacts.group_result import GroupResult
from components.statistics.bootstrap import Interval
from tests.components.pages.test_report import published
from tests.components.test_select import CONTROL, PAIR, STUDENT, TEACHER, TINY, run

_CUT = """() => [...document.querySelectorAll("body, .scroll, pre, .panel")]
  .filter(each => each.scrollWidth > each.clientWidth + 1)
  .map(each => `${each.className || each.tagName}: ${each.textContent.trim().slice(0, 40)}`)"""
"""What is wider than the room that it has, so that a part of it has to be scrolled to."""


_WIDEST = Interval(0.978, 0.921, 0.998)
_GROUPS = {
    "Ojibwe_(Canadian_Aboriginal_Syllabics)": GroupResult(
        280, 14, dict.fromkeys(("auc", "eer", "accuracy", "tar", "tar_1e3"), _WIDEST),
        {"one_shot": "no one-shot trial is about it: it has too few identities, or none of them two images"},
    ),
    "Tifinagh": GroupResult(
        1100, 55, dict.fromkeys(("auc", "eer", "accuracy", "tar", "tar_1e3", "one_shot"), _WIDEST), {}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Reports and cards of releases, one with groups, of none, and a control's long note."""
    root = tmp_path_factory.mktemp("reports")
    made = [published(root / "unqualified", sealed_noise=2.0)]
    made.append(published(root / "empty", drop=0.0, size_mb=0.001))
    made.append(published(root / "groups", groups={"tiny": _GROUPS}))
    with_control = run(root / "control", [TEACHER, STUDENT, TINY, CONTROL], **PAIR)
    found = [folder / name for folder in made for name in ("report.html", "card.html")]
    return [*found, with_control / "page.html"]


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_cut_off(chromium: Browser, pages: list[Path], width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    for path in pages:
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.evaluate(_CUT) == [], path
    page.add_style_tag(content=".board { width: 3000px }")  # the mutation: a table that is too wide
    assert page.evaluate(_CUT)
    context.close()
