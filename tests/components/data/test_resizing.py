"""Framing: what is cut off, kept and filled, and that all of it is said to apps."""

from __future__ import annotations

import numpy as np
import pytest

from components.artifacts.framing import Framing
from components.data.images import BadImage
from components.data.resizing import framed, resized
from tests.data.images import pixels

WIDE = np.full((20, 60, 1), 100, np.uint8)
WIDE[:, 20:40] = 200  # the square in the middle


def test_resizing_averages_all_that_a_pixel_covers() -> None:
    checks = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255
    small = resized(checks[:, :, None], 8, 8)
    assert small.shape == (8, 8, 1)
    assert np.abs(small.astype(int) - 128).max() <= 4  # picking pixels would give 0 or 255
    assert resized(pixels(1, 3), 5, 7).shape == (5, 7, 3)
    assert resized(checks[:, :, None], 64, 64) is not None


def test_stretching_is_what_happens_unless_something_else_is_said() -> None:
    assert np.array_equal(framed(WIDE, 10, 10, Framing()), resized(WIDE, 10, 10))


def test_cropping_keeps_the_middle_and_its_proportions() -> None:
    square = framed(WIDE, 20, 20, Framing(fit="crop"))
    assert np.array_equal(square, WIDE[:, 20:40])
    assert (framed(WIDE, 10, 10, Framing(fit="crop")) == 200).all()
    tall = framed(WIDE.transpose(1, 0, 2), 20, 20, Framing(fit="crop"))
    assert np.array_equal(tall, square)
    assert np.array_equal(framed(WIDE, 20, 60, Framing(fit="crop")), WIDE)


@pytest.mark.parametrize(("channels", "colour"), [(1, [151]), (3, [255, 128, 0])])
def test_padding_keeps_all_and_fills_the_rest(channels: int, colour: list[int]) -> None:
    framing = Framing(fit="pad", background="#ff8000")
    image = np.repeat(WIDE, channels, axis=2)
    whole = framed(image, 60, 60, framing)
    assert np.array_equal(whole[20:40], image)
    assert whole[:20].reshape(-1, channels).tolist() == [colour] * 20 * 60
    assert whole[40:].reshape(-1, channels).tolist() == [colour] * 20 * 60
    small = framed(image, 30, 31, framing)
    assert small.shape == (30, 31, channels)
    assert small[10, 15, 0] == 200
    assert small[9, 0].tolist() == colour


def test_a_part_is_cut_out_first() -> None:
    lfw = np.random.default_rng(0).integers(0, 256, (250, 250, 3), np.uint8)
    part = framed(lfw, 112, 92, Framing(crop=[69, 79, 112, 92]))
    assert np.array_equal(part, lfw[69:181, 79:171])
    half = framed(lfw, 56, 56, Framing(crop=[69, 79, 112, 92], fit="crop"))
    assert np.array_equal(half, resized(lfw[79:171, 79:171], 56, 56))


@pytest.mark.parametrize("crop", [[10, 0, 11, 60], [0, 1, 20, 60], [0, 0, 0, 5], [0, 0, 5, 0]])
def test_an_image_without_that_part_is_refused(crop: list[int]) -> None:
    with pytest.raises(BadImage, match="crop: 20 rows x 60 columns do not hold"):
        framed(WIDE, 8, 8, Framing(crop=crop))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (7, 5)])
def test_any_size_becomes_the_models(fit: str, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 7, np.uint8)
    framing = Framing(fit=fit, background="black")  # type: ignore[arg-type]
    assert framed(image, 12, 10, framing).shape == (12, 10, 3)
    assert framed(image, 12, 10, framing).max() == 7
