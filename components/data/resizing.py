"""Resizing: an image of any size becomes one of the model's size, as ``Framing`` says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.artifacts.framing import Framing
from components.data.images import BadImage, pillow_image


def framed(
    image: NDArray[np.uint8],
    height: int,
    width: int,
    framing: Framing,
    same: Image.Image | None = None,
) -> NDArray[np.uint8]:
    """Cut, scale and pad an image to a size.

    Halves of odd numbers are rounded down: what is cut off or filled is one pixel more at the
    bottom and on the right.

    Args:
        image: uint8, any height x any width x channels.
        height: Pixels.
        width: Pixels.
        framing: How.
        same: The same image as Pillow has it, if it is there: to make it takes time.

    Returns:
        uint8, height x width x channels.

    Raises:
        BadImage: It does not hold the part that is to be cut out.
    """
    part = image if framing.crop is None else _cut(image, framing.crop)
    rows, columns = part.shape[:2]
    if framing.fit == "crop":
        kept_rows = min(rows, max(1, round(columns * height / width)))
        kept_columns = min(columns, max(1, round(rows * width / height)))
        top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
        part = part[top : top + kept_rows, left : left + kept_columns]
    whole = same if part.shape == image.shape else None
    if framing.fit != "pad":
        return resized(part, height, width, whole)
    scale = min(height / rows, width / columns)
    inner_rows = min(height, max(1, round(rows * scale)))
    inner_columns = min(width, max(1, round(columns * scale)))
    top, left = (height - inner_rows) // 2, (width - inner_columns) // 2
    full = np.empty((height, width, image.shape[2]), np.uint8)
    full[:] = _colour(framing, image.shape[2])
    full[top : top + inner_rows, left : left + inner_columns] = resized(
        part, inner_rows, inner_columns, whole
    )
    return full


def resized(
    image: NDArray[np.uint8], height: int, width: int, same: Image.Image | None = None
) -> NDArray[np.uint8]:
    """Stretch an image to a size: bilinear over all pixels that a new one covers.

    Args:
        image: uint8, any height x any width x channels.
        height: Pixels.
        width: Pixels.
        same: See ``framed``.

    Returns:
        uint8, height x width x channels.
    """
    if image.shape[:2] == (height, width):
        return image
    whole = pillow_image(image) if same is None else same
    small = np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR))
    return small.reshape((height, width, image.shape[2]))


def _cut(image: NDArray[np.uint8], crop: list[int]) -> NDArray[np.uint8]:
    top, left, rows, columns = crop
    if top + rows > image.shape[0] or left + columns > image.shape[1] or not rows * columns:
        raise BadImage(
            "crop",
            f"{image.shape[0]} rows x {image.shape[1]} columns do not hold the {rows} x {columns} "
            f"from row {top} and column {left} on that image.crop names",
        )
    return image[top : top + rows, left : left + columns]


def _colour(framing: Framing, channels: int) -> NDArray[np.uint8]:
    """Return the background as pixels have it: grey by the luma that images are turned grey by."""
    one = Image.new("RGB", (1, 1), framing.background_rgb)
    return np.asarray(one.convert("L") if channels == 1 else one).reshape(channels)
