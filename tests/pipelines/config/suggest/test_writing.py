"""Suggestions as text: what was there stays, and what is read is what was suggested."""

import re
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.config.loading import load, suggestion_for
from pipelines.config.suggest.writing import variants_block, with_variants
from tests.pipelines.config.suggest.situations import grid, suggested, written

BEFORE = """\
# Mine.
name: mine  # a comment
task: verification
data: ./faces
image: {height: 32, width: 32, channels: 1}
teacher: &net {backbone: conv, alpha: 1.0, epochs: 15}
"""
VARIANTS = """\
# What I tried before:
variants:
  a:
    - distill: {<<: *net, alpha: 0.5}
    - quantize: &int8 {scheme: int8}

"""
AFTER = """\
budgets: {size_mb: 0.1, drop: 0.01}
auto:
  minutes: 500
minimize: size  # the end
"""


def test_texts_give_what_was_suggested(tmp_path: Path) -> None:
    for number, changes in enumerate(grid()):
        if number % 16:
            continue
        path = written(tmp_path / "mine.yaml", **changes)
        text = with_variants(path.read_text(), suggestion_for(path))
        (tmp_path / "again.yaml").write_text(text)
        assert load(tmp_path / "again.yaml") == load(path), text
        assert max(map(len, text.splitlines())) <= 100


def test_no_line_ends_between_a_key_and_its_value(tmp_path: Path) -> None:
    """Few images give long lists of parameters, which are broken behind commas alone."""
    for size_mb in (0.02, 0.1, 0.3):
        path = written(tmp_path / "mine.yaml", split={"subset": 100}, budgets={"size_mb": size_mb})
        text = with_variants(path.read_text(), suggestion_for(path))
        inside = [line for line in text.splitlines() if line.startswith(" " * 8)]
        assert any("keep: last" in line for line in inside)
        assert not [line for line in inside if line.endswith(":")]


@pytest.mark.parametrize("variants", ["", "variants: auto\n", VARIANTS])
def test_all_else_stays_as_it_is(tmp_path: Path, variants: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BEFORE + variants + AFTER)
    text = with_variants(path.read_text(), suggestion_for(path))
    assert text.startswith(BEFORE)
    assert "minimize: size  # the end\n" in text
    assert "auto:" not in text
    assert "distill: {<<: *net" not in text
    path.write_text(text)
    assert "student-int8" in load(path).variants


def test_comments_of_the_next_key_stay_and_our_own_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{BEFORE}{VARIANTS}# About budgets.\n{AFTER}")
    for _ in range(3):
        path.write_text(with_variants(path.read_text(), suggestion_for(path)))
    text = path.read_text()
    assert "# About budgets.\nbudgets:" in text
    assert text.count("# Suggested for") == 1
    assert "# What I tried before:" in text
    assert text == with_variants(path.read_text(), suggestion_for(path))


def test_shared_parameters_are_written_once(tmp_path: Path) -> None:
    text = variants_block(suggested(tmp_path))
    assert text.count("&student ") == 1
    assert text.count("*student") >= 4
    assert "{<<: *student, control: true}" in text


def test_each_variant_has_its_reason_above_it(tmp_path: Path) -> None:
    found = suggested(tmp_path)
    lines = variants_block(found).splitlines()
    for one in found.variants:
        above = lines[lines.index(f"  {one.name}:") - 1]
        assert above.startswith("  # ")
        assert one.reason.endswith(above.removeprefix("  # "))


def test_the_time_and_what_it_rests_on_are_said(tmp_path: Path) -> None:
    assumed = variants_block(suggested(tmp_path, side=224, auto={"minutes": 200}))
    flat = " ".join(line.removeprefix("# ") for line in assumed.splitlines())
    assert "as is assumed for 2 cores and 5,000 images that train" in flat
    assert "No time is left for" in flat
    path = written(tmp_path / "mine.yaml")
    told = variants_block(suggestion_for(path, told=lambda _: 12.0))
    flat = " ".join(line.removeprefix("# ") for line in told.splitlines())
    assert "takes about 12 of 600 minutes, as earlier runs tell" in flat
    short = variants_block(suggested(tmp_path, side=224, auto={"minutes": 1}))
    flat = " ".join(line.removeprefix("# ") for line in short.splitlines())
    assert re.search(r"takes about \d+ minutes, more than the 1 that are given, as is", flat)


def test_an_anchor_that_others_need_is_no_loss_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = BEFORE + VARIANTS + AFTER + "evaluate: &e {trials: 10}\n"
    anchored = text.replace("{scheme: int8}", "{scheme: int8}").replace(
        "    - quantize: &int8 {scheme: int8}\n",
        "    - quantize: {scheme: int8, seed: &seed 3}\n",
    )
    path.write_text(anchored + "seed: *seed\n")
    with pytest.raises(UserError, match="what another key refers to") as caught:
        with_variants(path.read_text(), suggestion_for(path))
    assert "in front of variants" in caught.value.fix
    path.write_text(anchored.replace("&seed 3", "3") + "seed: 3\n")
    assert with_variants(path.read_text(), suggestion_for(path))


def test_a_configuration_on_one_line_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.yaml")
    import json

    import yaml

    plain = yaml.safe_load(path.read_text())
    path.write_text(json.dumps(plain))
    with pytest.raises(UserError, match="one mapping in braces") as caught:
        with_variants(path.read_text(), suggestion_for(path))
    assert "below each other" in caught.value.fix
    path.write_text(yaml.safe_dump(plain))
    assert with_variants(path.read_text(), suggestion_for(path))


def test_a_teacher_that_takes_most_of_the_time_is_named(tmp_path: Path) -> None:
    """No choice of variants helps there; a smaller teacher does, and then nothing is said of it."""
    text = variants_block(suggested(tmp_path, side=224, auto={"minutes": 60}))
    assert "The teacher alone takes about" in " ".join(text.replace("#", "").split())
    text = variants_block(suggested(tmp_path, "plain", auto={"minutes": 600}))
    assert "The teacher alone" not in " ".join(text.replace("#", "").split())


def test_it_is_said_how_many_classes_were_taken_for_granted(tmp_path: Path) -> None:
    for auto, told in (({}, "5,000 images of 10 classes"), ({"classes": 900}, "of 900 classes")):
        text = variants_block(suggested(tmp_path, task="classification", auto=auto))
        assert told in " ".join(text.replace("#", "").split())
    assert "classes" not in variants_block(suggested(tmp_path)).partition("variants:")[0]
