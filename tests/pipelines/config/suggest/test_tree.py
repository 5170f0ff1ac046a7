"""Suggested trees: each loads, fits its time, and is the same whenever it is made."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load, suggestion_for
from pipelines.config.suggest import rules, tree
from pipelines.config.suggest.plan import Plan, SuggestedStep, SuggestedVariant
from tests.pipelines.config.suggest.situations import grid, suggested, written


def test_whatever_is_suggested_loads(tmp_path: Path) -> None:
    """Every combination of task, teacher, image, budgets, time and download."""
    seen: set[str] = set()
    combinations = list(grid())
    assert len(combinations) == 768
    for number, changes in enumerate(combinations):
        path = written(tmp_path / "mine.yaml", **changes)
        config = load(path)
        seen |= set(config.variants)
        assert next(iter(config.variants)) == "student-int8"
        if number % 20 == 0:
            assert graph_of(config).ordered, changes
    assert len(seen) == len(rules.RULES), "each rule applies somewhere"


def test_a_rule_that_suggests_what_cannot_be_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: a suggestion is checked as what people write is."""
    bad = SuggestedStep("quantize", {"scheme": "int8", "float_layers": "auto"}, "bad")
    variant = SuggestedVariant("bad", (bad,), "It names no max_drop.")

    def rule(_: Plan) -> SuggestedVariant:
        return variant

    monkeypatch.setattr(tree, "RULES", (*rules.RULES, rule))
    with pytest.raises(UserError, match=r"max_drop|how much validation"):
        load(written(tmp_path / "mine.yaml"))


def test_equal_configurations_give_equal_trees(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = load(written(tmp_path / "mine.yaml"))
    other = load(written(tmp_path / "other" / "mine.yaml"))
    assert one.written_variants == other.written_variants
    assert one.digest == other.digest
    assert graph_of(one).digest == graph_of(other).digest


def test_what_auto_became_is_an_ordinary_configuration(tmp_path: Path) -> None:
    config = load(written(tmp_path / "mine.yaml"))
    (tmp_path / "again.yaml").write_text(json.dumps(config.to_plain()))
    again = load(tmp_path / "again.yaml")
    assert again == config
    assert again.digest == config.digest
    assert config.auto is None


@pytest.mark.parametrize("minutes", [1, 30, 60, 120, 240, 600])
def test_the_time_is_kept_but_for_the_first_variant(tmp_path: Path, minutes: int) -> None:
    found = suggested(tmp_path, auto={"minutes": minutes})
    assert len(found.variants) == 1 or found.minutes <= minutes
    assert {one.name for one in found.variants}.isdisjoint(found.left_out)


def test_more_time_leaves_out_less(tmp_path: Path) -> None:
    little = suggested(tmp_path, side=224, auto={"minutes": 200})
    much = suggested(tmp_path, side=224, auto={"minutes": 2_000})
    assert little.left_out
    assert not much.left_out
    assert len(much.variants) == len(little.variants) + len(little.left_out)


def test_earlier_runs_count_in_place_of_assumptions(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.yaml", auto={"minutes": 60})
    told = suggestion_for(path, told=lambda config: 20.0 * len(config.variants))
    assert told.told
    assert len(told.variants) == 3
    assert told.minutes == 60.0
    assert not suggestion_for(path, told=lambda _: None).told
    assert suggestion_for(path, told=lambda _: None).plain == suggestion_for(path).plain


@pytest.mark.parametrize(
    ("changes", "what", "fix"),
    [
        (
            {"variants": {"int8": [{"quantize": {"scheme": "int8"}}]}},
            "the variants are written out",
            {"auto": None},
        ),
        ({"auto": {"minutes": 0}}, "auto.minutes", {"auto": {"minutes": 60}}),
        ({"auto": {"minute": 5}}, "there is no key 'minute'", {"auto": {"minutes": 5}}),
        ({"variants": "automatic"}, "variants: must be a mapping", {"variants": "auto"}),
        ({"budgets": {"drop": -1}}, "budgets.drop", {"budgets": {"drop": 0.01}}),
        ({"auto": {"classes": 1}}, "auto.classes", {"auto": None}),
        ({"auto": {"classes": 5}}, "verification has no classes", {"auto": None}),
        ({"auto": {"classes": 5}}, "verification has no classes", {"task": "classification"}),
    ],
)
def test_faults_are_told_with_their_place_and_the_fix_helps(
    tmp_path: Path, changes: dict[str, Any], what: str, fix: dict[str, Any]
) -> None:
    path = tmp_path / "mine.yaml"
    with pytest.raises(UserError) as caught:
        load(written(path, **changes))
    assert what in caught.value.what
    assert caught.value.what.startswith(f"{path}:")
    assert load(written(path, **{**changes, **fix})).variants
