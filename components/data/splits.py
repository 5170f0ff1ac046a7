"""Splits: which identities and images are trained on, and which judge.

Decided by names, counts and a seed alone, so that equal data is split equally everywhere. The
order comes from hashes and not from a random generator: an image keeps its place in it when
others are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from components.data.placing import TRAIN

LEAST_IDENTITIES: Final = 2
"""Fewest identities of a split: with one there is no pair of two different people."""


def ranked(keys: Iterable[str], purpose: str, seed: int) -> list[str]:
    """Return the keys in an order that only ``purpose`` and ``seed`` decide.

    Args:
        keys: All different.
        purpose: Keeps one decision from following another.
        seed: Another seed, another order.
    """
    return sorted(
        keys, key=lambda key: hashlib.sha256(f"{seed}\n{purpose}\n{key}".encode()).digest()
    )


def apportion(total: int, weights: Sequence[int], most: Sequence[int]) -> list[int]:
    """Divide a number in proportion to weights, by largest remainder; ties go to who is first.

    Args:
        total: What is divided.
        weights: Not all zero.
        most: Upper bound of each part.

    Returns:
        Parts that add up to ``total``, or to less when every part is at its bound.

    Example:
        >>> apportion(10, weights=[60, 30, 10], most=[5, 9, 9])
        [5, 4, 1]
    """
    whole = sum(weights)
    parts = [
        min(total * weight // whole, bound) for weight, bound in zip(weights, most, strict=True)
    ]
    left = total - sum(parts)
    while left > 0:
        open_parts = [index for index, part in enumerate(parts) if part < most[index]]
        if not open_parts:
            break
        open_parts.sort(key=lambda index: parts[index] * whole - total * weights[index])
        for index in open_parts[:left]:
            parts[index] += 1
        left = total - sum(parts)
    return parts


def level(total: int, available: Sequence[int]) -> list[int]:
    """Divide a number evenly; who has less than an even part gives all. Ties: who is first.

    Returns:
        Parts that add up to ``total``, or to all that is available when that is less.

    Example:
        >>> level(10, available=[2, 20, 20])
        [2, 4, 4]
    """
    parts = [0] * len(available)
    order = sorted(range(len(available)), key=lambda index: (available[index], -index))
    left = total
    for position, index in enumerate(order):
        parts[index] = min(available[index], left // (len(order) - position))
        left -= parts[index]
    return parts


def by_identity(
    identities: Iterable[str],
    shares: Mapping[str, float],
    most: int,
    seed: int,
    *,
    rest: str = TRAIN,
    least: int = LEAST_IDENTITIES,
) -> dict[str, str]:
    """Send whole identities, or groups of them, to the splits.

    Args:
        identities: Names; at least ``least`` for every split.
        shares: Part of the identities for each split but one.
        most: Most identities of such a split.
        seed: Decides who goes where.
        rest: The split that has all others.
        least: Fewest identities of a split.

    Returns:
        The split of every identity.
    """
    order = ranked(identities, "identity", seed)
    counts = {split: _nearest(len(order) * share) for split, share in shares.items()}
    counts = {split: max(least, min(count, most)) for split, count in counts.items()}
    while len(order) - sum(counts.values()) < least:
        largest = max(counts, key=lambda split: counts[split])
        assert counts[largest] > least, "the caller counts the identities first"
        counts[largest] -= 1
    places = [split for split, count in counts.items() for _ in range(count)]
    places += [rest] * (len(order) - len(places))
    return dict(zip(order, places, strict=True))


def by_image(
    members: Mapping[str, Sequence[str]],
    shares: Mapping[str, float],
    most: int | None,
    keep: int,
    seed: int,
    *,
    rest: str = TRAIN,
) -> dict[str, str]:
    """Send single images to the splits, each class in proportion.

    Args:
        members: The images of each class, by keys that are all different.
        shares: Part of the images for each split but one.
        most: Most images of such a split; None is no limit.
        keep: Images of every class that stay in ``rest``.
        seed: Decides which go where.
        rest: The split that has all others.

    Returns:
        The split of every image.
    """
    waiting = {name: ranked(keys, "image", seed) for name, keys in members.items()}
    sizes = {name: len(keys) for name, keys in waiting.items()}
    whole = sum(sizes.values())
    placed: dict[str, str] = {}
    for split, share in shares.items():
        names = ranked(waiting, f"class of {split}", seed)  # so that ties fall to another each time
        bounds = [max(0, len(waiting[name]) - keep) for name in names]
        total = max(LEAST_IDENTITIES, _nearest(whole * share))  # fewer would judge nothing
        total = total if most is None else min(total, most)
        for name, count in zip(
            names, apportion(total, [sizes[name] for name in names], bounds), strict=True
        ):
            placed |= dict.fromkeys(waiting[name][:count], split)
            waiting[name] = waiting[name][count:]
    return placed | {key: rest for keys in waiting.values() for key in keys}


def draw(
    members: Mapping[str, Sequence[str]], total: int, least: int, purpose: str, seed: int
) -> set[str]:
    """Choose images evenly over the classes.

    Args:
        members: The images of each class, by keys that are all different.
        total: Most images to choose.
        least: Fewest of a class: where ``total`` does not reach for all classes, some are
            left out whole.
        purpose: Keeps one decision from following another.
        seed: Decides which are chosen.
    """
    names = ranked(members, f"{purpose}: class", seed)[: max(1, total // least)]
    parts = level(total, [len(members[name]) for name in names])
    return {
        key
        for name, part in zip(names, parts, strict=True)
        for key in ranked(members[name], f"{purpose}: image", seed)[:part]
    }


def _nearest(value: float) -> int:
    return int(value + 0.5)
