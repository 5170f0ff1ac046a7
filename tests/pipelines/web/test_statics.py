"""Style sheets: one place for a rule, none for what no page has, and pictures are printed whole."""

import re

import pytest

from pipelines.web import statics

TREE = statics.HERE.parents[2]
SHEETS = sorted(statics.HERE.glob("*.css"))
FORMED = re.compile(r"(is|in|series)-\w+")
"""Classes whose names pages put together."""


def rules(sheet):
    """Return the selectors of a sheet outside of its media queries, and the whole of it."""
    whole = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", whole)
    selectors = [
        one.strip() for part in re.findall(r"([^{}]+)\{", plain) for one in part.split(",")
    ]
    return selectors, whole


def test_a_selector_stands_in_one_sheet():
    where: dict[str, set[str]] = {}
    for sheet in SHEETS:
        for selector in rules(sheet)[0]:
            where.setdefault(selector, set()).add(sheet.name)
    twice = {selector: sheets for selector, sheets in where.items() if len(sheets) > 1}
    assert twice == {".banner > p": {"board.css", "runs.css"}}  # larger on the leaderboard


def test_every_class_is_that_of_something():
    places = [
        path
        for folder in (TREE / "pipelines/web", TREE / "components/pages")
        for path in folder.rglob("*")
        if path.suffix in (".py", ".html", ".js")
    ]
    words = set(re.findall(r"[A-Za-z][\w-]*", "\n".join(one.read_text() for one in places)))
    for sheet in SHEETS:
        selectors = re.sub(r"\{[^{}]*\}", "", rules(sheet)[1])
        classes = set(re.findall(r"\.([A-Za-z][\w-]*)", selectors))
        assert not {one for one in classes - words if not FORMED.fullmatch(one)}, sheet.name


@pytest.mark.parametrize("sheet", [one for one in SHEETS if "@media print" in one.read_text()])
def test_nothing_of_a_picture_is_left_out_in_print(sheet):
    hidden = re.findall(r"@media print \{ ([^{]*)\{ display: none", sheet.read_text())
    drawn = set(re.findall(r"\.picture \.([\w-]+)", statics.STYLE.read_text()))
    assert hidden
    assert not drawn & set(re.findall(r"\.([\w-]+)", " ".join(hidden)))
