"""Thumbnails: small pictures of images, for pages."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.data.images import pillow_image

_EXACT_PX = 64
"""Up to this size pixels are kept as they are; larger ones are photographs."""


def thumbnail(pixels: NDArray[np.uint8], largest_px: int = 96) -> tuple[bytes, str]:
    """Return a small picture of an image, and its media type.

    Args:
        pixels: Height x width x 1 or 3.
        largest_px: Of its longer side; what is smaller stays as it is.
    """
    image = pillow_image(pixels)
    exact = max(image.size) <= _EXACT_PX
    image.thumbnail((largest_px, largest_px), Image.Resampling.BOX)
    written = io.BytesIO()
    if exact:
        image.save(written, "PNG")
    else:
        image.save(written, "JPEG", quality=82)
    return written.getvalue(), "image/png" if exact else "image/jpeg"
