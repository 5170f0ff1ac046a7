"""Rules, one by one: when each applies, and what it suggests."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.config.suggest.plan import plan_of
from pipelines.config.suggest.rules import RULES
from tests.pipelines.config.suggest.situations import situation, suggested


def variant(folder: Path, name: str, teacher: str = "trained", **changes: Any) -> Any:
    """The path of a suggested variant, or None."""
    return suggested(folder, teacher, **changes).plain.get(name)


SMALL: dict[str, Any] = {"size_mb": 0.1}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # variant, applies with, does not apply with
    ("teacher-int8", {"teacher": "imported"}, {"teacher": "answers"}),
    ("teacher-int8", {"teacher": "saved_model"}, {"teacher": "trained"}),  # a ResNet50 is too large
    ("linear-int8", {"side": 32}, {"side": 224}),
    ("small-int8", {"budgets": SMALL}, {"budgets": {"size_mb": 0.001}}),
    ("tiny-int8", {"budgets": SMALL}, {"budgets": {"size_mb": 0.001}}),
    ("student-mixed", {"budgets": SMALL | {"drop": 0.01}}, {"budgets": SMALL | {"drop": 0.02}}),
    ("student-aware", {"budgets": SMALL | {"drop": 0.0}}, {"budgets": SMALL | {"drop": 0.02}}),
    ("student-w4a8", {}, {"budgets": SMALL | {"latency_ms": 5}}),
    ("student-w4a8", {"side": 224, "budgets": {"size_mb": 2, "latency_ms": 5}}, {"minimize": "latency"}),
    ("student-float16", {"budgets": {"drop": 0.01}}, {"budgets": SMALL | {"drop": 0.01}}),
    ("teacher-channels-int8", {"teacher": "imported"}, {"teacher": "saved_model"}),
    ("teacher-channels-int8", {"budgets": {"size_mb": 10}}, {"budgets": SMALL}),
    ("teacher-channels-int8", {"budgets": {}}, {"teacher": "linear", "budgets": {}}),
    ("slim-int8", {"side": 32}, {"side": 224, "budgets": {"size_mb": 2}}),
    *(
        (name, {"auto": {"minutes": 900, "download": True}}, {})
        for name in ("grid-int8", "pruned-int8", "pruned-clustered-int8")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "applies", "not_with"), CASES)
def test_when_a_rule_applies(
    tmp_path: Path, name: str, applies: dict[str, Any], not_with: dict[str, Any]
) -> None:
    plenty: dict[str, Any] = {"auto": {"minutes": 100_000}}
    assert variant(tmp_path, name, **(plenty | applies)), "it applies"
    assert variant(tmp_path, name, **(plenty | not_with)) is None, "it does not"


def test_some_rules_always_apply(tmp_path: Path) -> None:
    for teacher in ("trained", "imported", "saved_model", "answers"):
        names = suggested(tmp_path, teacher, auto={"minutes": 100_000}).plain
        assert {"student-int8", "student-dynamic", "student-float"} <= set(names)


def test_every_variant_has_a_reason_and_every_rule_says_what_it_does(tmp_path: Path) -> None:
    found = situation(tmp_path, auto={"minutes": 100_000, "download": True}, budgets={"drop": 0.0})
    for rule in RULES:
        assert (rule.__doc__ or "").strip().endswith(".")
        made = rule(plan_of(found, 1_000))
        assert made is None or made.reason.endswith("."), rule
        assert made is None or len(made.reason) > 20


def test_a_teacher_loses_as_much_as_the_budget_asks(tmp_path: Path) -> None:
    """A ResNet50 of about 24 MB as int8, 28 bytes a channel included, for 10 MB."""
    (step, _) = variant(
        tmp_path, "teacher-channels-int8", budgets={"size_mb": 10}, auto={"minutes": 100_000}
    )
    assert 0.6 <= step["prune"]["remove"] <= 0.7


def test_the_control_stands_beside_the_float_student_alone(tmp_path: Path) -> None:
    for name, path in suggested(tmp_path).plain.items():
        given = path[0].get("distill", {})
        assert given.get("control", False) == (name == "student-float")


def test_students_train_for_as_long_as_the_time_allows(tmp_path: Path) -> None:
    epochs = [
        variant(tmp_path, "student-int8", "imported", side=96, auto={"minutes": minutes})[0][
            "distill"
        ]["epochs"]
        for minutes in (1, 30, 120, 1_000)
    ]
    assert epochs == sorted(epochs)
    assert epochs[0] == 6
    assert epochs[-1] == 60, "5,000 images, 400,000 in all"


def test_few_images_are_seen_more_often_and_the_last_epoch_is_kept(tmp_path: Path) -> None:
    def given(images: int) -> Any:
        auto = {"minutes": 10_000, "images": images}
        return variant(tmp_path, "small-int8", auto=auto)[0]["distill"]

    assert given(220)["epochs"] == 400
    assert given(60_000)["epochs"] == 6
    assert given(220)["keep"] == "last"
    assert "keep" not in given(5_000)
