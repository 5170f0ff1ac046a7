"""Augmentation: each time an image is seen, it is turned, moved, lit and covered a little.

What happens to an image is drawn outside the graph, as numbers of 0 to 1, so that a seed fixes it
and the same view can be shown to a teacher and to its student. The graph then does all images of
a batch at once: one affine resampling, then brightness, then a patch.

Shapes: n images, b images in a batch, h rows, w columns, c channels, k numbers drawn an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.contract.types import Task
from components.ml.runtime import tf
from components.ml.settings import Augment, Augmentation
from components.ml.training.scratch_arrays import filled

Draws = NDArray[np.float32]

_NAMES = (
    "mirror", "rotation", "zoom", "aspect", "shear", "shift_x", "shift_y", "gamma", "contrast",
    "brightness", "light_x", "light_y", "covered", "cover_x", "cover_y", "cover_width",
    "cover_height", "cover_grey",
)  # fmt: skip
_BLACK = 1e-4
"""Darkest value, of 1, before a power is taken: at 0 a power has no slope."""


@dataclass(frozen=True)
class Strength:
    """How far each change goes at most, to both sides.

    Attributes:
        rotation: Radians.
        zoom: Natural logarithm of the scale.
        aspect: Natural logarithm of the square root of width over height.
        shear: Columns per row.
        shift: Share of the side.
        gamma: Natural logarithm of the exponent of brightness.
        contrast: Natural logarithm of the slope around middle grey.
        brightness: Share of the range from black to white.
        light: Difference from the middle to the edge, as from a lamp at the side; same unit.
        noise: Standard deviation of a pixel; same unit.
        covered: How often a patch is covered, 0 to 1.
        cover: Largest side of the patch as a share of the image's side.
    """

    rotation: float = 0.0
    zoom: float = 0.0
    aspect: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    light: float = 0.0
    noise: float = 0.0
    covered: float = 0.0
    cover: float = 0.0


SHORT = 1500
"""Steps below which a classifier learns more of images as they are: see docs/schedules.md."""

STRENGTHS: Mapping[Augment, Strength] = {
    "none": Strength(),
    "light": Strength(
        rotation=0.08, zoom=0.06, aspect=0.025, shear=0.03, shift=0.04, gamma=0.1, contrast=0.07,
        brightness=0.03, light=0.03, noise=0.004, covered=0.2, cover=0.44,
    ),
    "strong": Strength(
        rotation=0.2, zoom=0.14, aspect=0.06, shear=0.08, shift=0.09, gamma=0.5, contrast=0.35,
        brightness=0.15, light=0.15, noise=0.02, covered=0.5, cover=0.44,
    ),
    "affine": Strength(rotation=0.262, zoom=0.182, shear=0.2, shift=0.1),  # 15 degrees, 1.2 times
}  # fmt: skip


def settled_for_labels(augmentation: Augmentation, task: Task, steps: int) -> Augmentation:
    """Return an augmentation of images with labels whose strength is known.

    Args:
        augmentation: Perhaps one that is to follow from the training.
        task: Which is learned.
        steps: Of the whole training.
    """
    if augmentation.augment != "auto":
        return augmentation
    short = task == "classification" and steps < SHORT
    return replace(augmentation, augment="none" if short else "light")


def settled_for_answers(augmentation: Augmentation) -> Augmentation:
    """Return an augmentation of images with a teacher's answers whose strength is known.

    Each view has an answer of its own, so that views help from the first step on.
    """
    if augmentation.augment != "auto":
        return augmentation
    return replace(augmentation, augment="light")


MIX_SHARES = (0.25, 0.75)
"""Of the first image in a mix: neither is hidden."""


def draw_changes(images: int, *, flip: bool, random: np.random.Generator) -> Draws:
    """Draw what happens to each image.

    Args:
        images: n.
        flip: Mirror half of them.
        random: Where the numbers come from.

    Returns:
        n x k numbers of 0 to 1; the first column is 0 (as it is) or 1 (mirrored).
    """
    draws_nk = random.random((images, len(_NAMES)), dtype=np.float32)
    draws_nk[:, 0] = np.round(draws_nk[:, 0]) if flip else 0
    return draws_nk


def drawn_changes(images: int, *, flip: bool, random: np.random.Generator) -> Draws:
    """Return what ``draw_changes`` does, in a file and not in memory."""
    return filled(
        (images, len(_NAMES)),
        np.float32,
        lambda count: draw_changes(count, flip=flip, random=random),
    )


def apply_changes(images_bhwc: Any, draws_bk: Any, strength: Strength, noise_seed: Any) -> Any:
    """Change the images as drawn; in a graph.

    Args:
        images_bhwc: float32, 0 to 255.
        draws_bk: See ``draw_changes``.
        strength: How far.
        noise_seed: Two integers, for the noise of the pixels.

    Returns:
        float32 ``bhwc``, 0 to 255.
    """
    drawn: dict[str, Any] = dict(
        zip(_NAMES, tf.unstack(draws_bk, len(_NAMES), axis=1), strict=True)
    )
    moved_bhwc = _move(images_bhwc, drawn, strength)
    if strength.brightness or strength.gamma:
        moved_bhwc = 255.0 * _light(moved_bhwc / 255.0, drawn, strength, noise_seed)
    if strength.covered:
        moved_bhwc = _cover(moved_bhwc, drawn, strength)
    return moved_bhwc


def mix_images(first_mhwc: Any, second_mhwc: Any, share_m: Any) -> Any:
    """Mix images, two at a time (mixup, arXiv:1710.09412); in a graph.

    Args:
        first_mhwc: Float.
        second_mhwc: Like it.
        share_m: Of the first, 0 to 1.
    """
    share_mhwc = share_m[:, None, None, None]
    return share_mhwc * first_mhwc + (1.0 - share_mhwc) * second_mhwc


def _both(drawn_b: Any, most: float) -> Any:
    """Spread 0 to 1 over ``-most`` to ``most``."""
    return (2.0 * drawn_b - 1.0) * most


def _move(images_bhwc: Any, drawn: Mapping[str, Any], strength: Strength) -> Any:
    """Mirror, turn, zoom, stretch, shear and shift, in one bilinear resampling."""
    height, width = images_bhwc.shape[1:3]
    angle_b = _both(drawn["rotation"], strength.rotation)
    zoom_b = tf.exp(_both(drawn["zoom"], strength.zoom))
    aspect_b = tf.exp(_both(drawn["aspect"], strength.aspect))
    shear_b = _both(drawn["shear"], strength.shear)
    across_b = zoom_b * aspect_b * (1.0 - 2.0 * drawn["mirror"])
    down_b = zoom_b / aspect_b
    # From a pixel of the result to where it is read: x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2.
    a0, a1 = tf.cos(angle_b) * across_b, (shear_b - tf.sin(angle_b)) * across_b
    b0, b1 = tf.sin(angle_b) * down_b, tf.cos(angle_b) * down_b
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    shift_x = _both(drawn["shift_x"], strength.shift * width)
    shift_y = _both(drawn["shift_y"], strength.shift * height)
    a2 = middle_x + shift_x - a0 * middle_x - a1 * middle_y
    b2 = middle_y + shift_y - b0 * middle_x - b1 * middle_y
    zero = tf.zeros_like(a0)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images_bhwc,
        transforms=tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


def _light(images_bhwc: Any, drawn: Mapping[str, Any], strength: Strength, noise_seed: Any) -> Any:
    """Change gamma, contrast and brightness, light from the side, and add noise; 0 to 1."""

    def column(values_b: Any) -> Any:
        return values_b[:, None, None, None]

    height, width = images_bhwc.shape[1:3]
    if strength.gamma:
        exponent_b = tf.exp(_both(drawn["gamma"], strength.gamma))
        images_bhwc = tf.pow(tf.maximum(images_bhwc, _BLACK), column(exponent_b))
    slope_b = tf.exp(_both(drawn["contrast"], strength.contrast))
    level_b = _both(drawn["brightness"], strength.brightness)
    images_bhwc = (images_bhwc - 0.5) * column(slope_b) + 0.5 + column(level_b)
    if strength.light:
        across_w = tf.linspace(-1.0, 1.0, width)[None, None, :, None]
        down_h = tf.linspace(-1.0, 1.0, height)[None, :, None, None]
        images_bhwc += column(_both(drawn["light_x"], strength.light)) * across_w
        images_bhwc += column(_both(drawn["light_y"], strength.light)) * down_h
    if strength.noise:
        images_bhwc += strength.noise * tf.random.stateless_normal(
            tf.shape(images_bhwc), seed=noise_seed
        )
    return tf.clip_by_value(images_bhwc, 0.0, 1.0)


def _cover(images_bhwc: Any, drawn: Mapping[str, Any], strength: Strength) -> Any:
    """Cover a rectangle of some images with one grey (cutout, arXiv:1708.04552)."""
    height, width = images_bhwc.shape[1:3]

    def inside(position_b: Any, size_b: Any, pixels: int) -> Any:
        place = (tf.range(pixels, dtype=tf.float32) + 0.5) / pixels
        # From a third of the largest side up to all of it.
        half_b = (1.0 + 2.0 * size_b) * strength.cover / 6.0
        return tf.cast(tf.abs(place[None] - position_b[:, None]) < half_b[:, None], tf.float32)

    rows_bh = inside(drawn["cover_y"], drawn["cover_height"], height)
    columns_bw = inside(drawn["cover_x"], drawn["cover_width"], width)
    chosen_b = tf.cast(drawn["covered"] < strength.covered, tf.float32)
    patch_bhw = chosen_b[:, None, None] * rows_bh[:, :, None] * columns_bw[:, None, :]
    grey_b = 255.0 * drawn["cover_grey"]
    covered_bhwc = patch_bhw[..., None]
    return images_bhwc * (1.0 - covered_bhwc) + grey_b[:, None, None, None] * covered_bhwc
