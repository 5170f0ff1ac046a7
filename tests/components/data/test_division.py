"""The data's own split is kept, and what it lacks is drawn from its training images."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from components.contract.errors import UserError
from components.data.curation import curate
from components.data.images_found import SourceImage
from components.data.placing import SPLIT_WORDS
from components.data.settings import CurationPlan

FACES = CurationPlan(task="verification")
THINGS = CurationPlan(task="classification", split_by="image")


def _images(split: str | None, labels: str, each: int = 6) -> list[SourceImage]:
    return [
        SourceImage(name, name, label, name, split=split)
        for label in labels.split()
        for number in range(each)
        for name in [f"{split}/{label}/{number}"]
    ]


def _counts(images: list[SourceImage], plan: CurationPlan) -> dict[str, Counter[str]]:
    """Count for every split where its images come from."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for image, result in zip(images, curate(images, plan), strict=True):
        if result.split:
            counts[result.split][image.split or ""] += 1
    return counts


def test_test_is_sealed_and_val_is_halved():
    images = [
        *_images("train", "a b", 20), *_images("val", "a b", 8), *_images("test", "a b", 5),
    ]  # fmt: skip
    assert _counts(images, THINGS) == {
        "train": {"train": 40}, "validation": {"val": 8}, "selection": {"val": 8},
        "sealed": {"test": 10},
    }  # fmt: skip


def test_what_is_missing_is_drawn_from_train():
    counts = _counts([*_images("train", "a b", 50), *_images("test", "a b", 5)], THINGS)
    assert counts == {
        "train": {"train": 70}, "validation": {"train": 15}, "selection": {"train": 15},
        "sealed": {"test": 10},
    }  # fmt: skip
    counts = _counts([*_images("training", "a b", 50), *_images("selection", "a b", 5)], THINGS)
    assert counts["selection"] == {"selection": 10}
    assert counts["sealed"] == counts["validation"] == {"training": 15}


def test_people_of_a_given_split_stay_together():
    images = [*_images("train", "a b c"), *_images("val", "d e f g"), *_images("test", "h i")]
    homes: dict[str, set[str | None]] = defaultdict(set)
    for image, result in zip(images, curate(images, FACES), strict=True):
        homes[image.label].add(result.split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert Counter(next(iter(splits)) for splits in homes.values()) == {
        "train": 3, "validation": 2, "selection": 2, "sealed": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("images", "plan", "match"),
    [
        (
            [*_images("train", "a b c d e f", 20), *_images("test", "b f")],
            FACES,
            r"2 identities are in two or more .* 'b' in test and train, 'f' in test and train",
        ),
        (
            [*_images("train", "a b c d e f"), *_images("val", "x y z"), *_images("test", "i j")],
            FACES,
            "the data's validation images are of 3 identities; .* needs 4",
        ),
        (
            _images(None, "a b c d", 20),
            replace(FACES, split_by="group"),
            "the train split of 20 images has 1 identities",
        ),
        (
            _images(None, "a b c d e"),
            replace(THINGS, split_by="group"),
            "0 classes that are trained on",
        ),
    ],
)
def test_the_advice_to_split_by_image_works(images, plan, match):
    with pytest.raises(UserError, match=match) as caught:
        curate(images, plan)
    assert "set split: {by: image}" in caught.value.fix
    counts = _counts(images, replace(plan, split_by="image"))
    assert counts.keys() == {"train", "validation", "selection", "sealed"}


def test_nothing_to_train_on_is_said():
    with pytest.raises(UserError, match="has sealed and nothing to train on") as caught:
        curate(_images("test", "a b"), THINGS)
    assert "train" in caught.value.fix


def test_words_that_are_no_split():
    with pytest.raises(UserError, match="called 'fold1', 'fold2'; expected train") as caught:
        curate([*_images("fold1", "a b"), *_images("fold2", "a b")], THINGS)
    assert "train, val and test" in caught.value.fix
    odd = [*_images("trian", "a", 1), *_images(None, "a", 1)]
    images = [*_images("train", "a b", 20), *odd]
    results = curate(images, THINGS)
    assert [result.reason for result in results[-2:]] == [
        f"split: 'trian' is none of {', '.join(SPLIT_WORDS)}",
        "split: it is given none, and others are",
    ]
    assert all(result.status == "used" for result in results[:-2])


def test_an_image_shown_again_judges_and_is_not_trained_on():
    images = [*_images("train", "a b", 20), *_images("test", "a b", 5)]
    images[3] = replace(images[3], digest=images[40].digest)
    results = curate(images, THINGS)
    assert results[3].duplicate_of == "test/a/0"
    assert results[40].split == "sealed"


def test_groups_stay_together():
    labels = [f"{alphabet}/{letter}" for alphabet in "ABCDEF" for letter in "xyz"]
    images = _images(None, " ".join(labels))
    homes: dict[str, set[str | None]] = defaultdict(set)
    for image, result in zip(images, curate(images, replace(FACES, split_by="group")), strict=True):
        homes[image.label[0]].add(result.split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert Counter(next(iter(splits)) for splits in homes.values()) == {
        "train": 3, "validation": 1, "selection": 1, "sealed": 1,
    }  # fmt: skip
    sites = [replace(image, group=image.name[-1]) for image in _images(None, "a b", 9)]
    results = curate(sites, replace(THINGS, split_by="group"))
    where = {(image.group, result.split) for image, result in zip(sites, results, strict=True)}
    assert len(where) == 9
