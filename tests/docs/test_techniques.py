"""The page of techniques names all that components offer, and what it shows is valid."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from docs import techniques as page
from pipelines.config.loading import load
from pipelines.config.parameters import steps_of_paths
from tests.data.techniques import techniques
from tests.pipelines.runs.kept_run import DECISION, Kept

TEXT = page.PAGE.read_text()
SECTIONS = {
    title: body
    for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    if title not in ("In which order", "Measured in one run")
}
ROOT = page.PAGE.parents[1]
MAKE = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def words() -> set[str]:
    """Everything that the page writes as code: in sentences and in configurations."""
    code = re.findall(r"`([^`\n]+)`", TEXT) + re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    return {word for piece in code for word in re.findall(r"[\w+-]+", piece)}


def test_every_choice_that_is_offered_is_named() -> None:
    assert {str(value) for _, _, value in techniques()} <= words()
    assert {name for _, name, _ in techniques()} | set(steps_of_paths()) <= words() | {"target"}


def test_a_choice_that_the_page_does_not_name_is_missed() -> None:
    assert "ternary" not in words()


def test_every_section_says_when_it_pays_what_was_measured_and_by_whom_it_is() -> None:
    assert len(SECTIONS) >= 10
    for title, body in SECTIONS.items():
        assert "\nPays: " in body, title
        measured = re.search(r"^Measured: (.+?)\n\n", body, re.MULTILINE | re.DOTALL)
        assert measured, title
        assert re.search(r"`make \w+`", measured[1]), f"{title}: from which command?"
        if title != "Linear map":
            assert re.search(r"^Paper: .*arXiv:\d{4}\.\d{5}", body, re.MULTILINE), title


def test_commands_of_the_page_are_targets_of_make() -> None:
    assert set(re.findall(r"`make ([a-z]+)", TEXT)) <= MAKE


def test_papers_are_those_that_components_refer_to() -> None:
    """Those of training itself, its losses and its schedule, are no techniques of compression."""
    named = set(re.findall(r"\d{4}\.\d{5}", TEXT))
    for component in ("distill", "prune", "cluster", "quantize", "quantize_aware"):
        source = (ROOT / "components" / f"{component}.py").read_text()
        listed = set(re.findall(r"\d{4}\.\d{5}", source.partition("References:")[2]))
        assert listed
        assert listed <= named


@pytest.mark.parametrize("title", SECTIONS)
def test_the_variant_of_a_section_is_valid(title: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", SECTIONS[title], re.DOTALL)
    plain = {
        "name": "mine",
        "task": "verification",
        "data": "./faces",
        "image": {"height": 64, "width": 64, "channels": 1},
        "teacher": {"backbone": "resnet50"},
        "variants": {"shown": yaml.safe_load(block)},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(plain))
    assert load(tmp_path / "mine.yaml").variants["shown"]


def test_the_table_is_that_of_the_newest_run(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    board = kept.board()
    record = replace(board.record, name=page.NAME)
    text = page.page(replace(board, record=record))
    assert "| teacher | 91,234 | 83,000 | 0.991 (0.985 to 0.995) |" in text
    assert "| student-int8 | 9,876 |" in text
    assert "| winner |" in text
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([\d,]+) \|", text, re.MULTILINE)
    sizes = [int(size.replace(",", "")) for _, size in rows[1:]]
    assert rows[0][0] == "teacher"
    assert sizes == sorted(sizes)
    assert text.startswith(TEXT[: TEXT.index(page.BEGIN)])
    with pytest.raises(UserError, match="no run of everything"):
        page.newest(str(tmp_path / "empty"))
