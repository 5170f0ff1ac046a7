"""Split sizes: what an error says of a split that is too small ends the error."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from components.contract.errors import UserError
from components.contract.types import Task
from components.data.curation import SourceImage, curate
from components.data.settings import CurationPlan


def plan(task: Task, **changes: object) -> CurationPlan:
    return CurationPlan(task=task, split_by="image", **changes)  # type: ignore[arg-type]


def images(each: dict[str, int], split: str | None = None) -> list[SourceImage]:
    return [
        SourceImage(name, name, label, name, split=split)
        for label, count in each.items()
        for number in range(count)
        for name in [f"{split}/{label}/{number}"]
    ]


def refused(found: list[SourceImage], by: CurationPlan) -> UserError:
    with pytest.raises(UserError, match="too little data: the") as caught:
        curate(found, by)
    return caught.value


@pytest.mark.parametrize(
    ("task", "each", "share"),
    [
        ("classification", {"sound": 97, "damaged": 4}, 0.1),
        ("verification", {"a": 8, "b": 8, "c": 8}, 0.15),
        ("verification", dict.fromkeys("abcdef", 8), 0.15),
        ("verification", dict.fromkeys("abcdef", 40), 0.02),
    ],
)
def test_shares_that_are_named_are_enough(task: Task, each: dict[str, int], share: float) -> None:
    small = dict.fromkeys(("validation", "selection", "sealed_fraction"), share)
    error = refused(images(each), plan(task, **small))
    edit = re.match(r"set split: (\{[^}]+\}), or add images", error.fix)
    assert edit, error.fix
    shares = yaml.safe_load(edit[1])
    if "sealed" in shares:
        shares["sealed_fraction"] = shares.pop("sealed")
    curate(images(each), replace(plan(task, **small), **shares))


@pytest.mark.parametrize(
    ("task", "each", "least"), [("classification", 2, 4), ("verification", 3, 8)]
)
def test_where_no_share_is_enough_images_are_asked_for(task: Task, each: int, least: int) -> None:
    error = refused(images(dict.fromkeys("abc", each)), plan(task))
    assert error.fix.startswith("add images of each ")
    assert f": {least} at the least" in error.fix
    assert "raise" not in error.fix
    if task == "classification":
        curate(images(dict.fromkeys("abc", least)), plan(task))
    else:  # where a share helps, too
        error = refused(images(dict.fromkeys("abc", least)), plan(task))
        assert error.fix.startswith("set split: {")


def test_of_validation_images_that_are_halved_more_are_asked_for() -> None:
    """No key divides them: the share of selection is of training images."""
    given = [*images({"a": 20, "b": 20}, "train"), *images({"a": 1, "b": 1}, "val")]
    for share in (0.15, 0.5):
        error = refused(given, plan("classification", selection=share, sealed_fraction=0.1))
        assert "the selection split of 0 images" in error.what
        assert error.fix.startswith("add images of each class to the data's own validation split")
    curate([*given[:-2], *images({"a": 2, "b": 2}, "val")], plan("classification"))


def test_a_split_of_the_data_with_one_class_gets_more_of_them() -> None:
    given = [*images({"a": 20, "b": 20}, "train"), *images({"a": 5}, "test")]
    error = refused(given, plan("classification"))
    assert error.fix == "add images of more classes to the data's own sealed split"
    curate([*given, *images({"b": 1}, "test")], plan("classification"))
