"""Curation: one result for every image, and none of them leaks from one split to another."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.contract.errors import UserError
from components.contract.types import Task
from components.data.curation import CurationResult, SourceImage, curate, kind_of
from components.data.settings import CurationPlan
from pipelines.config.parameters import offered
from pipelines.config.sections import ImageShape

SHARES = ("sealed", "selection", "validation")


def _plan(task: Task = "verification", **changes: object) -> CurationPlan:
    unit = "identity" if task == "verification" else "image"
    return CurationPlan(task=task, **({"split_by": unit} | changes))  # type: ignore[arg-type]


def _images(counts: Mapping[str, int]) -> list[SourceImage]:
    return [
        SourceImage(f"{label}/{number}", f"{label}/{number}", label, f"{label}-{number}")
        for label, count in counts.items()
        for number in range(count)
    ]


def _people(count: int, images: int = 4) -> list[SourceImage]:
    return _images({f"p{number:02d}": images for number in range(count)})


@st.composite
def messy(draw: st.DrawFn) -> list[SourceImage]:
    """Images of which some are bad, some shown twice, some under two labels."""
    found: list[SourceImage] = []
    for person in range(draw(st.integers(8, 14))):
        for number in range(draw(st.integers(1, 6))):
            name = f"p{person:02d}/{number}"
            bad = draw(st.integers(0, 9)) == 0
            digest = "" if bad else draw(st.sampled_from([name] * 8 + ["twin", f"p{person}"]))
            found.append(
                SourceImage(name, name, f"p{person:02d}", digest, "corrupt: x" if bad else "")
            )
    return found


@settings(max_examples=150)
@given(
    messy(),
    st.sampled_from(
        [("verification", "identity"), ("verification", "image"), ("classification", "image")]
    ),
    st.one_of(st.none(), st.integers(20, 60)),
    st.integers(4, 30),
    st.integers(0, 3),
)
def test_nothing_leaks_and_nothing_is_lost(
    found: list[SourceImage], kind: tuple[Task, str], subset: int | None, cap: int, seed: int
) -> None:
    task, split_by = kind
    plan = _plan(task, split_by=split_by, subset=subset, evaluation_images=cap, seed=seed)
    try:
        results = curate(found, plan)
    except UserError:
        assume(False)
        raise
    assert results == curate(found, plan)
    assert len(results) == len(found)
    homes: dict[str, set[str]] = defaultdict(set)
    shown: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    for image, result in zip(found, results, strict=True):
        assert (result.status == "used") == (result.split is not None)
        assert (result.status in ("quarantined", "unused")) == (result.reason is not None)
        assert (result.status == "duplicate") == (result.duplicate_of is not None)
        if image.fault:
            assert result.status == "quarantined"
        else:
            labels[image.digest].add(image.label)
        if result.split:
            homes[image.label].add(result.split)
            shown[image.digest].add(image.name)
    assert all(len(names) == 1 for names in shown.values())
    assert all(len(labels[digest]) == 1 for digest in shown)
    if split_by == "identity":
        assert all(len(splits) == 1 for splits in homes.values())
    counts = Counter(result.split for result in results if result.split)
    assert task == "classification" or all(counts[split] <= cap for split in SHARES)
    assert subset is None or sum(counts.values()) <= subset
    for label, splits in homes.items():
        if task == "verification" and split_by == "identity":
            used = sum(
                s.label == label and f.split is not None
                for s, f in zip(found, results, strict=True)
            )
            assert used >= 2, (label, splits)


def _curated(found: list[SourceImage], plan: CurationPlan) -> dict[str, CurationResult]:
    return dict(zip((image.name for image in found), curate(found, plan), strict=True))


def test_the_first_of_equal_images_is_kept() -> None:
    found = [*_people(8), SourceImage("p00/z", "p00/z", "p00", "p00-1")]
    results = _curated(found, _plan())
    assert results["p00/z"] == CurationResult("duplicate", duplicate_of="p00/1")
    assert results["p00/1"].status == "used"


def test_one_image_under_two_labels_is_no_evidence_for_either() -> None:
    found = [*_people(8), SourceImage("p01/z", "p01/z", "p01", "p00-1")]
    results = _curated(found, _plan())
    assert results["p00/1"].reason == "conflict: shows the same as p01/z, labelled 'p01'"
    assert results["p01/z"].reason == "conflict: shows the same as p00/1, labelled 'p00'"


def test_an_identity_with_one_image_is_quarantined_by_name() -> None:
    found = [*_people(8), *_images({"alone": 1}), SourceImage("alone/z", "", "alone", "alone-0")]
    results = _curated(found, _plan())
    assert results["alone/0"].status == "quarantined"
    assert results["alone/0"].reason == "few-images: 'alone' has 1 usable; 2 are needed"
    assert kind_of(results["alone/0"]) == "few-images"


def test_a_cap_leaves_whole_pairs() -> None:
    found = _people(20, images=10)
    results = _curated(found, _plan(evaluation_images=12, minimum_images=2))
    for split in SHARES:
        counts = Counter(name[:3] for name, result in results.items() if result.split == split)
        assert sum(counts.values()) == 12
        assert min(counts.values()) >= 2
    assert Counter(result.status for result in results.values())["unused"] > 0
    unused = next(result for result in results.values() if result.status == "unused")
    assert unused.reason == "limit: beyond the 12 evaluation_images of its split"


def test_a_cap_by_image_gives_the_rest_to_training() -> None:
    results = _curated(_people(10, images=30), _plan(split_by="image", evaluation_images=20))
    counts = Counter(result.split for result in results.values())
    assert counts == {"train": 240, "validation": 20, "selection": 20, "sealed": 20}


def test_classification_compares_no_pairs_and_has_no_cap() -> None:
    results = _curated(_people(10, images=30), _plan("classification", evaluation_images=20))
    counts = Counter(result.split for result in results.values())
    assert counts == {"train": 165, "validation": 45, "selection": 45, "sealed": 45}


def test_a_subset_is_even_over_classes() -> None:
    found = _images({"a": 100, "b": 50, "c": 10})
    results = _curated(found, _plan("classification", subset=60))
    assert Counter(name[0] for name, f in results.items() if f.split) == {"a": 25, "b": 25, "c": 10}


@pytest.mark.parametrize(
    ("found", "changes", "match", "fix"),
    [
        ([], {}, "of no images at all, 0 identities can be used", "add identities"),
        (_people(1), {}, "one, 'p00', can be used", "add identities"),
        (
            _people(7),
            {},
            "7 identities can be used; splitting by identity needs 8",
            "split: {by: image}",
        ),
        (_people(9, images=1), {}, "0 identities can be used", "2 different images or more"),
        (
            _people(3, images=3),
            {"split_by": "image"},
            "sealed split of 2 images",
            "add images of each identity: 8 at the least",
        ),
        (
            _people(30),
            {"evaluation_images": 3},
            "[01] identities with 2 images",
            "evaluation_images",
        ),
    ],
)
def test_too_little_is_said(
    found: list[SourceImage], changes: dict[str, object], match: str, fix: str
) -> None:
    with pytest.raises(UserError, match=match) as caught:
        curate(found, _plan(**changes))
    assert fix in caught.value.fix


def test_images_under_two_labels_are_kept_under_one() -> None:
    found = [replace(image, digest=image.digest.replace("b", "a"))
             for image in _images({"a": 20, "b": 20})]  # fmt: skip
    with pytest.raises(UserError, match="40 conflict") as caught:
        curate(found, _plan("classification"))
    assert caught.value.fix == "keep each image under one label"
    curate(_images({"a": 20, "b": 20}), _plan("classification"))


def test_the_least_number_of_images_that_is_too_large_is_lowered() -> None:
    found = _images({"a": 20, "b": 20})
    with pytest.raises(UserError, match="40 few-images") as caught:
        curate(found, _plan("classification", minimum_images=50))
    assert "lower minimum_images under split:" in caught.value.fix
    curate(found, _plan("classification", minimum_images=20))


def test_one_class_only_is_said_with_what_was_lost() -> None:
    bad = SourceImage("b/0", "b/0", "b", "", "truncated: image file is truncated")
    with pytest.raises(UserError, match="one, 'a', can be used; at least 2 are needed") as caught:
        curate([*_images({"a": 9}), bad], _plan("classification"))
    assert "1 truncated: b/0 (truncated: image file is truncated)" in caught.value.what
    assert "add classes" in caught.value.fix


@pytest.mark.parametrize(
    ("task", "changes", "match"),
    [
        ("classification", {"split_by": "identity"}, "cannot be split by identity"),
        ("verification", {"minimum_images": 1}, "minimum_images is 1"),
        (
            "verification",
            {"validation": 0.2, "sealed_fraction": 0.5, "selection": 0.3},
            "add up to 1; nothing",
        ),
    ],
)
def test_contradictions_are_said_before_anything_is_read(
    task: Task, changes: dict[str, object], match: str
) -> None:
    with pytest.raises(UserError, match=match):
        _plan(task, **changes).check()
    _plan(task).check()


def test_every_key_that_a_fix_names_is_a_key_of_a_configuration() -> None:
    keys = {
        "split": {parameter.name for parameter in offered("ingest").parameters},
        "image": ImageShape.model_fields.keys(),
    }
    folder = Path(__file__).parents[3] / "components" / "data"
    text = "".join(path.read_text() for path in sorted(folder.glob("*.py")))
    named = set(re.findall(r"(split|image): \{+(\w+)[:,]", text))
    assert {("split", "by"), ("split", "same_names"), ("image", "maximum")} <= named
    assert {(section, key) for section, key in named if key not in keys[section]} == set()


# near-duplicates --------------------------------------------------------------------------------


def _together(*groups: tuple[str, ...]) -> dict[str, str]:
    return {digest: group[0] for group in groups for digest in group}


def test_near_duplicates_are_drawn_together_by_image() -> None:
    found = _people(10, images=30)
    plan = _plan("classification")
    groups = [tuple(f"p{person:02d}-{n}" for n in (k, k + 10, k + 20))
              for person in range(10) for k in range(10)]  # fmt: skip
    before = _curated(found, plan)
    assert any(_homes(before, group) > 1 for group in groups)
    results = dict(
        zip((i.name for i in found), curate(found, plan, (), _together(*groups)), strict=True)
    )
    assert all(_homes(results, group) == 1 for group in groups)
    assert {result.status for result in results.values()} == {"used"}
    counts = Counter(result.split for result in results.values())
    assert counts == {"train": 165, "validation": 45, "selection": 45, "sealed": 45}


def _homes(results: dict[str, CurationResult], digests: tuple[str, ...]) -> int:
    return len({results[digest.replace("-", "/")].split for digest in digests})


def test_identities_that_share_a_near_duplicate_stay_in_one_split() -> None:
    found = _people(20)
    pairs = [(f"p{n:02d}-0", f"p{n + 10:02d}-3") for n in range(10)]
    results = dict(
        zip((i.name for i in found), curate(found, _plan(), (), _together(*pairs)), strict=True)
    )
    assert all(_homes(results, pair) == 1 for pair in pairs)
    homes = {name[:3]: result.split for name, result in results.items()}
    assert all(homes[f"p{n:02d}"] == homes[f"p{n + 10:02d}"] for n in range(10))
    chained = _together(tuple(f"p{n:02d}-0" for n in range(18)))
    with pytest.raises(UserError, match="of 3 identities") as caught:
        curate(found, _plan(), (), chained)
    assert "leave out near_duplicates: together" in caught.value.fix
    assert curate(found, _plan())


def test_the_split_of_the_data_is_kept_and_near_duplicates_leave_the_training() -> None:
    found = [
        replace(image, split=split)
        for split, people in (("train", 12), ("test", 4))
        for image in _images({f"{split}{n}": 6 for n in range(people)})
    ]
    pair = ("test0-1", "train3-2")
    results = dict(
        zip((i.name for i in found), curate(found, _plan(), (), _together(pair)), strict=True)
    )
    assert results["test0/1"].split == "sealed"
    left = results["train3/2"]
    assert (left.status, kind_of(left)) == ("unused", "near-duplicate")
    assert left.reason == (
        "near-duplicate: shows almost the same as test0/1, which is in the sealed split"
    )
    assert Counter(result.status for result in results.values()) == {"used": 95, "unused": 1}
