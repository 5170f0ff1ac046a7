"""Quarter turns and mirror images: an identity that is turned or mirrored is another one.

A letter on its side is no letter that anybody has written before, and what tells letters apart is
learned from it as well. On Omniglot turns are worth 3 points of one-shot accuracy.

Shapes: n images, b images that are asked for, h rows, w columns, c channels.

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
    """Images and all of their turns and mirror images, made when they are asked for.

    Row ``n t + i`` is image i turned to the left t times; the mirror images, from left to right,
    of all these come behind them in the same order.

    Args:
        images_nhwc: The images as they are; square where they are to be turned.
        turns: How many turns there are, 1 or 4.
        mirrors: Whether there are mirror images.

    Attributes:
        shape: Images in all, h, w, c.
    """

    def __init__(self, images_nhwc: Images, turns: int, *, mirrors: bool) -> None:
        self._images_nhwc = images_nhwc
        self._turns = turns
        self.times = turns * (1 + mirrors)
        """Images in all for each image."""
        self.shape: tuple[int, ...] = (self.times * len(images_nhwc), *images_nhwc.shape[1:])

    def __len__(self) -> int:
        """Return how many images there are in all."""
        return self.shape[0]

    def __getitem__(self, rows_b: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the images of these rows."""
        forms_b, places_b = np.divmod(rows_b, len(self._images_nhwc))
        mirrored_b, turns_b = np.divmod(forms_b, self._turns)
        images_bhwc = np.array(self._images_nhwc[places_b])
        for turn in range(1, self._turns):
            turned = turns_b == turn
            images_bhwc[turned] = np.rot90(images_bhwc[turned], turn, axes=(1, 2))
        mirrored = mirrored_b == 1
        images_bhwc[mirrored] = images_bhwc[mirrored][:, :, ::-1]
        return images_bhwc


def turned(
    images_nhwc: Images,
    labels_n: NDArray[np.integer],
    classes: int,
    *,
    turns: bool = True,
    mirrors: bool = False,
) -> tuple[TurnedImages, NDArray[np.integer]]:
    """Return images with their turns and mirror images, and labels of which each has its own.

    Args:
        images_nhwc: Square ones, where they are turned.
        labels_n: 0 to ``classes`` - 1.
        classes: How many there are before.
        turns: Whether they are turned.
        mirrors: Whether they are mirrored, too.

    Raises:
        UserError: The images are not square, and a turned one has another shape.
    """
    height, width = images_nhwc.shape[1:3]
    if turns and height != width:
        raise UserError(
            f"turns: the images have {height} x {width} pixels, and turned they do not fit",
            f"set image: {{height: {min(height, width)}, width: {min(height, width)}}}, or leave "
            "turns away",
        )
    images = TurnedImages(images_nhwc, TURNS if turns else 1, mirrors=mirrors)
    labels = np.concatenate([labels_n + classes * form for form in range(images.times)])
    return images, labels
