"""Quarter turns: an identity that is turned is another one, so that there are four times as many.

A letter on its side is no letter that anybody has written before, and what tells letters apart is
learned from it as well. On Omniglot that is worth 3 points of one-shot accuracy.

Shapes: n images, b images that are asked for, s rows and columns, c channels.

References:
    Santoro et al., Meta-Learning with Memory-Augmented Neural Networks, arXiv:1605.06065, which
    first trained on turned characters as classes of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import Images
from components.contract.errors import UserError

TURNS = 4
"""As they are, and turned to the left by one, two and three quarters."""


class TurnedImages:
    """Square images and all of their quarter turns, made when they are asked for.

    Row ``n t + i`` is image i turned to the left t times.

    Args:
        images_nssc: The images as they are.

    Attributes:
        shape: 4 n, s, s, c.
    """

    def __init__(self, images_nssc: Images) -> None:
        self._images_nssc = images_nssc
        self.shape: tuple[int, ...] = (TURNS * len(images_nssc), *images_nssc.shape[1:])

    def __len__(self) -> int:
        """Return 4 n."""
        return self.shape[0]

    def __getitem__(self, rows_b: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the images of these rows."""
        turns_b, places_b = np.divmod(rows_b, len(self._images_nssc))
        images_bssc = np.array(self._images_nssc[places_b])
        for turn in range(1, TURNS):
            turned = turns_b == turn
            images_bssc[turned] = np.rot90(images_bssc[turned], turn, axes=(1, 2))
        return images_bssc


def turned(images_nhwc: Images, labels_n: NDArray[np.integer], classes: int) -> tuple[
    TurnedImages, NDArray[np.integer]
]:  # fmt: skip
    """Return images with their turns, and labels of which each turn has its own.

    Args:
        images_nhwc: Square ones.
        labels_n: 0 to ``classes`` - 1.
        classes: How many there are before.

    Raises:
        UserError: The images are not square, and a turned one has another shape.
    """
    height, width = images_nhwc.shape[1:3]
    if height != width:
        raise UserError(
            f"turns: the images have {height} x {width} pixels, and turned they do not fit",
            f"set image: {{height: {min(height, width)}, width: {min(height, width)}}}, or leave "
            "turns away",
        )
    labels = np.concatenate([labels_n + classes * turn for turn in range(TURNS)])
    return TurnedImages(images_nhwc), labels
