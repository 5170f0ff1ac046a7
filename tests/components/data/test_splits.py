"""Splits: everybody gets one place, in proportion, and the same one every time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.data.splits import (
    TRAIN,
    apportion,
    by_identity,
    by_image,
    draw,
    level,
    ranked,
)

SHARES = {"sealed": 0.15, "selection": 0.15, "validation": 0.15}
shares = st.fixed_dictionaries(dict.fromkeys(SHARES, st.floats(0.01, 0.32)))
seeds = st.integers(0, 5)
classes = st.lists(st.integers(1, 40), min_size=1, max_size=12).map(
    lambda sizes: {f"c{i}": [f"c{i}-{j}" for j in range(size)] for i, size in enumerate(sizes)}
)


@given(st.integers(0, 200), st.lists(st.integers(1, 50), min_size=1, max_size=20), st.data())
def test_apportion_is_in_proportion_within_bounds(
    total: int, weights: list[int], data: st.DataObject
) -> None:
    most = [data.draw(st.integers(0, 50)) for _ in weights]
    parts = apportion(total, weights, most)
    assert sum(parts) == min(total, sum(most))
    assert all(0 <= part <= bound for part, bound in zip(parts, most, strict=True))
    free = apportion(total, weights, [total] * len(weights))
    for part, weight in zip(free, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) < 1


@given(st.integers(0, 300), st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_level_is_even(total: int, available: list[int]) -> None:
    parts = level(total, available)
    assert sum(parts) == min(total, sum(available))
    assert all(part <= bound for part, bound in zip(parts, available, strict=True))
    short = [part for part, bound in zip(parts, available, strict=True) if part < bound]
    if short:  # who could give more gives as much as anyone, but for one
        assert max(parts) - min(short) <= 1


@given(st.integers(8, 200), shares, st.integers(2, 100), seeds)
def test_identities_have_one_split_each(
    count: int, wanted: dict[str, float], most: int, seed: int
) -> None:
    names = [f"p{number}" for number in range(count)]
    homes = by_identity(names, wanted, most, seed)
    assert homes == by_identity(reversed(names), wanted, most, seed)
    assert set(homes) == set(names)
    counts = Counter(homes.values())
    assert counts[TRAIN] >= 2
    for split, share in wanted.items():
        assert 2 <= counts[split] <= max(2, most)
        if 2.5 <= count * share <= most and count >= 12:
            assert abs(counts[split] - count * share) <= 1.5


def test_the_faces_are_split_as_anyone_would() -> None:
    homes = by_identity([f"s{number:02d}" for number in range(1, 41)], SHARES, 500, 0)
    assert Counter(homes.values()) == {TRAIN: 22, "validation": 6, "selection": 6, "sealed": 6}


@given(classes, shares, st.integers(1, 60), st.integers(1, 3), seeds)
def test_images_have_one_split_each_and_every_class_is_trained(
    members: dict[str, list[str]], wanted: dict[str, float], most: int, keep: int, seed: int
) -> None:
    placed = by_image(members, wanted, most, keep, seed)
    assert set(placed) == {key for keys in members.values() for key in keys}
    again = {name: list(reversed(keys)) for name, keys in reversed(members.items())}
    assert placed == by_image(again, wanted, most, keep, seed)
    whole = len(placed)
    for split, share in wanted.items():
        assert Counter(placed.values())[split] <= min(most, max(2, whole * share + 0.5))
    for keys in members.values():
        trained = sum(placed[key] == TRAIN for key in keys)
        assert trained >= min(keep, len(keys))


def test_classes_keep_their_proportions() -> None:
    members = {"a": [f"a{i}" for i in range(800)], "b": [f"b{i}" for i in range(200)]}
    placed = by_image(members, SHARES, 10_000, 1, 0)
    for split in SHARES:
        counts = Counter(key[0] for key, where in placed.items() if where == split)
        assert counts == {"a": 120, "b": 30}


def test_small_classes_do_not_all_fall_to_the_same_split() -> None:
    members = {f"c{i}": [f"{i}-{j}" for j in range(10)] for i in range(40)}
    counts = Counter(by_image(members, SHARES, 10_000, 1, 0).values())
    assert counts == {"sealed": 60, "selection": 60, "validation": 60, TRAIN: 220}


@given(classes, st.integers(1, 200), st.integers(1, 3), seeds)
def test_draws_are_even_and_stable(
    members: dict[str, list[str]], total: int, least: int, seed: int
) -> None:
    chosen = draw(members, total, least, "subset", seed)
    assert chosen == draw(dict(reversed(members.items())), total, least, "subset", seed)
    assert len(chosen) <= max(total, least)
    counts = {name: len(chosen.intersection(keys)) for name, keys in members.items()}
    for name, count in counts.items():
        assert count == 0 or count >= min(least, len(members[name])) or total < least


def test_a_seed_decides_and_each_purpose_has_an_order_of_its_own() -> None:
    names = [f"p{number}" for number in range(30)]
    orders = {tuple(ranked(names, purpose, seed)) for purpose in "ab" for seed in (0, 1)}
    assert len(orders) == 4


@pytest.mark.parametrize("seed", [0, 1])
def test_an_image_keeps_its_place_when_others_come(seed: int) -> None:
    names = [f"p{number}" for number in range(30)]
    before = ranked(names[:20], "x", seed)
    assert [name for name in ranked(names, "x", seed) if name in before] == before
