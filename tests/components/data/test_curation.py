"""Curation: one fate for every picture, and none of them leaks from one split to another."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.contract.errors import UserError
from components.contract.types import Task
from components.data.curation import Fate, Plan, Sample, curate, kind_of

SHARES: Mapping[str, float] = {"sealed": 0.15, "selection": 0.15, "validation": 0.15}


def _plan(task: Task = "verification", **changes: object) -> Plan:
    settings: dict[str, object] = {
        "split_by": "identity" if task == "verification" else "image",
        "shares": SHARES,
        "subset": None,
        "evaluation_images": 2000,
        "minimum_images": 2,
        "seed": 0,
    }
    return Plan(task=task, **(settings | changes))  # type: ignore[arg-type]


def _samples(counts: Mapping[str, int]) -> list[Sample]:
    return [
        Sample(f"{label}/{number}", f"{label}/{number}", label, f"{label}-{number}")
        for label, count in counts.items()
        for number in range(count)
    ]


def _people(count: int, images: int = 4) -> list[Sample]:
    return _samples({f"p{number:02d}": images for number in range(count)})


@st.composite
def messy(draw: st.DrawFn) -> list[Sample]:
    """Pictures of which some are bad, some shown twice, some under two labels."""
    found: list[Sample] = []
    for person in range(draw(st.integers(8, 14))):
        for number in range(draw(st.integers(1, 6))):
            name = f"p{person:02d}/{number}"
            bad = draw(st.integers(0, 9)) == 0
            digest = "" if bad else draw(st.sampled_from([name] * 8 + ["twin", f"p{person}"]))
            found.append(Sample(name, name, f"p{person:02d}", digest, "corrupt: x" if bad else ""))
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
    samples: list[Sample], kind: tuple[Task, str], subset: int | None, cap: int, seed: int
) -> None:
    task, split_by = kind
    plan = _plan(task, split_by=split_by, subset=subset, evaluation_images=cap, seed=seed)
    try:
        fates = curate(samples, plan)
    except UserError:
        assume(False)
        raise
    assert fates == curate(samples, plan)
    assert len(fates) == len(samples)
    homes: dict[str, set[str]] = defaultdict(set)
    shown: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    for sample, fate in zip(samples, fates, strict=True):
        assert (fate.status == "used") == (fate.split is not None)
        assert (fate.status in ("quarantined", "unused")) == (fate.reason is not None)
        assert (fate.status == "duplicate") == (fate.duplicate_of is not None)
        if sample.fault:
            assert fate.status == "quarantined"
        else:
            labels[sample.digest].add(sample.label)
        if fate.split:
            homes[sample.label].add(fate.split)
            shown[sample.digest].add(sample.name)
    assert all(len(names) == 1 for names in shown.values())
    assert all(len(labels[digest]) == 1 for digest in shown)
    if split_by == "identity":
        assert all(len(splits) == 1 for splits in homes.values())
    counts = Counter(fate.split for fate in fates if fate.split)
    assert all(counts[split] <= cap for split in SHARES)
    assert subset is None or sum(counts.values()) <= subset
    for label, splits in homes.items():
        if task == "verification" and split_by == "identity":
            used = sum(
                s.label == label and f.split is not None
                for s, f in zip(samples, fates, strict=True)
            )
            assert used >= 2, (label, splits)


def _fates(samples: list[Sample], plan: Plan) -> dict[str, Fate]:
    return dict(zip((sample.name for sample in samples), curate(samples, plan), strict=True))


def test_the_first_of_equal_pictures_is_kept() -> None:
    samples = [*_people(8), Sample("p00/z", "p00/z", "p00", "p00-1")]
    fates = _fates(samples, _plan())
    assert fates["p00/z"] == Fate("duplicate", duplicate_of="p00/1")
    assert fates["p00/1"].status == "used"


def test_one_picture_under_two_labels_is_no_evidence_for_either() -> None:
    samples = [*_people(8), Sample("p01/z", "p01/z", "p01", "p00-1")]
    fates = _fates(samples, _plan())
    assert fates["p00/1"].reason == "conflict: shows the same as p01/z, labelled 'p01'"
    assert fates["p01/z"].reason == "conflict: shows the same as p00/1, labelled 'p00'"


def test_an_identity_with_one_image_is_quarantined_by_name() -> None:
    samples = [*_people(8), *_samples({"alone": 1}), Sample("alone/z", "", "alone", "alone-0")]
    fates = _fates(samples, _plan())
    assert fates["alone/0"].status == "quarantined"
    assert fates["alone/0"].reason == "few-images: 'alone' has 1 usable; 2 are needed"
    assert kind_of(fates["alone/0"]) == "few-images"


def test_a_cap_leaves_whole_pairs() -> None:
    samples = _people(20, images=10)
    fates = _fates(samples, _plan(evaluation_images=12, minimum_images=2))
    for split in SHARES:
        counts = Counter(name[:3] for name, fate in fates.items() if fate.split == split)
        assert sum(counts.values()) == 12
        assert min(counts.values()) >= 2
    assert Counter(fate.status for fate in fates.values())["unused"] > 0
    unused = next(fate for fate in fates.values() if fate.status == "unused")
    assert unused.reason == "limit: left out by evaluation_images 12"


def test_a_cap_by_image_gives_the_rest_to_training() -> None:
    fates = _fates(_people(10, images=30), _plan("classification", evaluation_images=20))
    counts = Counter(fate.split for fate in fates.values())
    assert counts == {"train": 240, "validation": 20, "selection": 20, "sealed": 20}


def test_a_subset_is_even_over_classes() -> None:
    samples = _samples({"a": 100, "b": 50, "c": 10})
    fates = _fates(samples, _plan("classification", subset=60))
    assert Counter(name[0] for name, f in fates.items() if f.split) == {"a": 25, "b": 25, "c": 10}


@pytest.mark.parametrize(
    ("samples", "changes", "match", "fix"),
    [
        ([], {}, "of no pictures at all, 0 identities can be used", "add identities"),
        (_people(1), {}, "one, 'p00', can be used", "add identities"),
        (
            _people(7),
            {},
            "7 identities can be used; splitting by identity needs 8",
            "split_by: image",
        ),
        (_people(9, images=1), {}, "0 identities can be used", "2 different images or more"),
        (
            _people(3, images=3),
            {"split_by": "image"},
            "sealed split of 1 images",
            "sealed_fraction",
        ),
        (
            _people(30),
            {"evaluation_images": 3},
            "0 classes with 2 images|1 classes with 2",
            "evaluation_images",
        ),
    ],
)
def test_too_little_is_said(
    samples: list[Sample], changes: dict[str, object], match: str, fix: str
) -> None:
    with pytest.raises(UserError, match=match) as caught:
        curate(samples, _plan(**changes))
    assert fix in caught.value.fix


def test_one_class_only_is_said_with_what_was_lost() -> None:
    bad = Sample("b/0", "b/0", "b", "", "truncated: image file is truncated")
    with pytest.raises(UserError, match="one, 'a', can be used; at least 2 are needed") as caught:
        curate([*_samples({"a": 9}), bad], _plan("classification"))
    assert "1 truncated: b/0 (truncated: image file is truncated)" in caught.value.what
    assert "add classes" in caught.value.fix


@pytest.mark.parametrize(
    ("task", "changes", "match"),
    [
        ("classification", {"split_by": "identity"}, "cannot be split by identity"),
        ("verification", {"minimum_images": 1}, "minimum_images is 1"),
        ("verification", {"shares": {"sealed": 0.5, "selection": 0.5}}, "add up to 1; nothing"),
    ],
)
def test_contradictions_are_said_before_anything_is_read(
    task: Task, changes: dict[str, object], match: str
) -> None:
    with pytest.raises(UserError, match=match):
        _plan(task, **changes).check()
    _plan(task).check()
