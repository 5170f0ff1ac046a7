"""Thumbnails: small ones pixel by pixel, large ones small."""

import io

import numpy as np
import pytest
from PIL import Image

from components.data.thumbnails import thumbnail


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_image_stays_as_it_is(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, channels), dtype=np.uint8)
    data, kind = thumbnail(pixels)
    assert kind == "image/png"
    shown = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(shown.reshape(8, 12, channels), pixels)


def test_a_large_image_becomes_small_and_keeps_its_shape():
    pixels = np.random.default_rng(0).integers(0, 256, (400, 200, 3), dtype=np.uint8)
    data, kind = thumbnail(pixels)
    assert kind == "image/jpeg"
    assert Image.open(io.BytesIO(data)).size == (48, 96)
    assert len(data) < 10_000
