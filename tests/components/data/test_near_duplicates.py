"""What almost shows the same is found, what only resembles is not, and none of it is quadratic."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from components.data.near_duplicates import (
    LEAST_CORRELATION,
    MOST_BITS,
    SIDE,
    clusters,
    copy_of,
    hashes_of,
    near_pairs,
)
from tests.data.images import photo


def _jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(file)


def _copies(images: list[Image.Image]) -> np.ndarray:
    return np.stack([copy_of(image)[..., 0] for image in images])


def _pairs(images: list[Image.Image]) -> list[list[int]]:
    return near_pairs(_copies(images), np.arange(len(images))).tolist()


@pytest.mark.parametrize(
    "changed",
    [
        _jpeg,
        lambda image: image.resize((48, 36), Image.Resampling.BILINEAR),
        lambda image: ImageEnhance.Brightness(image).enhance(0.85),
        lambda image: ImageEnhance.Contrast(image).enhance(0.7),
        lambda image: image.convert("L"),
    ],
    ids=["compressed", "half the size", "darker", "flatter", "grey"],
)
def test_what_is_found(changed: Callable[[Image.Image], Image.Image]) -> None:
    photos = [photo(seed) for seed in range(20)]
    assert _pairs([*photos, *map(changed, photos)]) == [[n, n + 20] for n in range(20)]


@pytest.mark.parametrize(
    "changed",
    [
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.rotate(90),
        lambda image: image.crop((24, 18, 96, 72)),
        lambda image: image.resize((24, 18)),
    ],
    ids=["mirrored", "rotated", "cut", "below 32 pixels"],
)
def test_what_is_not(changed: Callable[[Image.Image], Image.Image]) -> None:
    photos = [photo(seed) for seed in range(20)]
    assert _pairs([*photos, *map(changed, photos)]) == []


def test_images_without_detail_are_not_all_the_same() -> None:
    grey = [Image.new("L", (64, 64), level) for level in (10, 20, 30)]
    assert _pairs([*grey, photo(1)]) == []
    nothing = np.zeros((0, SIDE, SIDE), np.uint8)
    assert near_pairs(nothing, np.zeros(0, np.int64)).tolist() == []


def test_only_those_asked_for_are_compared() -> None:
    copies = _copies([photo(1), photo(2), _jpeg(photo(1)), _jpeg(photo(2))])
    assert near_pairs(copies, np.array([1, 2, 3])).tolist() == [[0, 2]]


def test_bands_find_what_comparing_each_with_each_finds() -> None:
    rng = np.random.default_rng(0)
    copies = np.repeat(_copies([photo(seed) for seed in range(60)]), 3, axis=0).astype(np.int64)
    noisy = copies + rng.normal(0, rng.uniform(0, 8, (len(copies), 1, 1)), copies.shape)
    copies = noisy.clip(0, 255).astype(np.uint8)
    hashes = hashes_of(copies)
    flat = copies.reshape(len(copies), -1)
    expected = [
        [one, other]
        for one, other in combinations(range(len(copies)), 2)
        if np.bitwise_count(hashes[one] ^ hashes[other]) <= MOST_BITS
        and np.corrcoef(flat[one], flat[other])[0, 1] >= LEAST_CORRELATION
    ]
    assert 60 < len(expected) < 180
    assert near_pairs(copies, np.arange(len(copies))).tolist() == expected


def test_a_camera_that_stands_still_makes_no_pairs_without_number() -> None:
    rng = np.random.default_rng(0)
    scene = _copies([photo(1)]).astype(np.int64)
    frames = (scene + rng.integers(-1, 2, (3000, *scene.shape[1:]))).clip(0, 255).astype(np.uint8)
    pairs = near_pairs(frames, np.arange(3000)).tolist()
    assert len(pairs) < 3000 * 60
    assert set(clusters((f"{a}", f"{b}") for a, b in pairs).values()) == {"0"}
    assert len({place for pair in pairs for place in pair}) == 3000


def test_memory_does_not_grow_with_the_copies() -> None:
    copies = np.random.default_rng(0).integers(0, 256, (8000, SIDE, SIDE), dtype=np.uint8)
    tracemalloc.start()
    try:
        near_pairs(copies, np.arange(len(copies)))
        assert tracemalloc.get_traced_memory()[1] < 25e6, "all as numbers at once are 16 MB"
    finally:
        tracemalloc.stop()
