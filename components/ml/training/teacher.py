"""A teacher, asked about augmented views of the training images and about mixed ones.

It is asked before the training, about a few views of each image, so that it costs a few passes over
the data and not one for every step; teacher and student see the same views (arXiv:2106.05237). What
it answers waits in temporary files, in 16 bits.

Shapes: n images, v views, x mixed images that the teacher is asked about, m of them in a batch, b
images in a batch, h rows, w columns, c channels, k numbers drawn an image, t numbers of a teacher's
output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from components.artifacts.model import ModelInfo, Scores
from components.contract.errors import UserError
from components.ml.runtime import tf
from components.ml.settings import Augmentation, TeacherViews
from components.ml.training import losses
from components.ml.training.augmentation import (
    MIX_SHARES,
    STRENGTHS,
    Draws,
    apply_changes,
    drawn_changes,
    mix_images,
    settled_for_answers,
)
from components.ml.training.examples import SHARES, Examples, MixupOutputs, TeacherOutputs
from components.ml.training.objectives import PIXELS, TEACHER
from components.ml.training.outputs import Outputs
from components.ml.training.scratch_arrays import HalfAnswers, filled

Answers: TypeAlias = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""A teacher as a function from images ``nhwc`` to what it answers, ``nt`` by the name under which a
batch is to hold it: ``TEACHER``, and what is asked of layers inside of it."""

_ViewOf: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
_BATCH = 32
_LEAST = 1e-12
"""Probability below which a teacher's softmax says nothing more."""


def ask_teacher(
    examples: Examples,
    outputs: Outputs | Answers,
    info: ModelInfo,
    teacher_views: TeacherViews,
    augmentation: Augmentation,
    seed: int,
) -> Examples:
    """Return the examples with the teacher's outputs for every view of every image.

    Args:
        examples: What is to be learned from.
        outputs: The teacher, from images ``nhwc`` to its outputs ``nt``, or to several things that
            it answers.
        info: The teacher's. Of a softmax the logarithms are learned, which serve as logits, and of
            a sigmoid what went into it.
        teacher_views: How many views, of which one is enough where nothing changes an image; and
            how many mixed images a batch is to have. The teacher is asked about as many of these as
            there are views of images.
        augmentation: How images are changed.
        seed: Of views and mixed images.
    """
    augmentation = settled_for_answers(augmentation)
    changed = augmentation.flip or augmentation.augment != "none"
    views = teacher_views.views if changed else 1
    random = np.random.default_rng([seed, views, examples.images])
    flat_vnk = drawn_changes(views * examples.images, flip=augmentation.flip, random=random)
    draws_vnk = flat_vnk.reshape(views, examples.images, -1)
    ask = _learned(outputs, info)
    view_of = _views(examples, draws_vnk, augmentation, seed)
    answered = _ask_views(ask, view_of, views, examples.images)
    mixup = None
    if teacher_views.mixup:
        mixup = _ask_mixup(ask, view_of, views, examples.images, teacher_views.mixup, random)
    return replace(examples, teacher=TeacherOutputs(draws_vnk, answered, mixup))


def with_answers(
    examples: Examples,
    outputs_nt: np.ndarray,
    info: ModelInfo,
    teacher_views: TeacherViews,
    augmentation: Augmentation,
    seed: int,
) -> Examples:
    """Return the examples with answers that are known beforehand, of a teacher that ran elsewhere.

    The answer belongs to the image as it is: every view of it has that one, so that a student
    learns to answer the same however the image is changed. Mixed images have no answer.

    Args:
        examples: What is to be learned from.
        outputs_nt: One answer an image.
        info: The teacher's.
        teacher_views: How many views; the more, the more ways an image is seen in.
        augmentation: How images are changed.
        seed: Of the views.

    Raises:
        UserError: Mixed images are asked for.
    """
    if teacher_views.mixup:
        raise UserError(
            "mixup: the teacher is known by its answers to single images, and cannot be asked "
            "about mixed ones",
            "set mixup: 0",
        )
    augmentation = settled_for_answers(augmentation)
    changed = augmentation.flip or augmentation.augment != "none"
    views = teacher_views.views if changed else 1
    random = np.random.default_rng([seed, views, examples.images])
    flat_vnk = drawn_changes(views * examples.images, flip=augmentation.flip, random=random)
    draws_vnk = flat_vnk.reshape(views, examples.images, -1)
    learned_nt = _logits(outputs_nt, info)
    outputs_vnt = HalfAnswers((views, *learned_nt.shape))
    for view in range(views):
        outputs_vnt[view] = learned_nt
    return replace(examples, teacher=TeacherOutputs(draws_vnk, {TEACHER: outputs_vnt}))


def _ask_views(
    ask: Answers, view_of: _ViewOf, views: int, images: int
) -> Mapping[str, HalfAnswers]:
    """Return the teacher's answers ``vnt`` about every view of every image, by name."""
    kept: dict[str, HalfAnswers] = {}
    for view in range(views):
        for rows in _batches(images):
            for name, answers_bt in ask(view_of(np.full(len(rows), view), rows)).items():
                if name not in kept:
                    kept[name] = HalfAnswers((views, images, answers_bt.shape[1]))
                kept[name][view, rows] = answers_bt
        for answers in kept.values():
            answers.release()
    return kept


def _ask_mixup(
    ask: Answers,
    view_of: _ViewOf,
    views: int,
    images: int,
    batch: int,
    random: np.random.Generator,
) -> MixupOutputs:
    """Draw as many mixed images as there are views of images, and ask about each."""
    count = views * images
    views_x2 = filled((count, 2), np.int32, lambda n: random.integers(0, views, (n, 2)))
    rows_x2 = filled((count, 2), np.int32, lambda n: random.integers(0, images, (n, 2)))
    shares_x = filled((count,), np.float32, lambda n: random.uniform(*MIX_SHARES, n))
    kept: dict[str, HalfAnswers] = {}
    for part in _batches(count):
        first, second = (
            view_of(np.asarray(views_x2[part, half]), np.asarray(rows_x2[part, half]))
            for half in (0, 1)
        )
        mixed = mix_images(first, second, np.asarray(shares_x[part]))
        for name, answers_bt in ask(mixed).items():
            if name not in kept:
                kept[name] = HalfAnswers((count, answers_bt.shape[1]))
            kept[name][part] = answers_bt
    mixup = MixupOutputs(views_x2, rows_x2, shares_x, kept, batch)
    mixup.release()
    return mixup


def with_mixup(batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mix the last 2 m images of a batch, the firsts with the seconds behind them.

    A batch of a teacher that was not asked about mixed images stays as it is. In a graph.
    """
    if SHARES not in batch:
        return batch
    pixels_bhwc, share_m = batch[PIXELS], batch[SHARES]
    mixup = share_m.shape[0]
    alone = pixels_bhwc.shape[0] - 2 * mixup
    first_mhwc, second_mhwc = pixels_bhwc[alone : alone + mixup], pixels_bhwc[alone + mixup :]
    mixed_mhwc = mix_images(first_mhwc, second_mhwc, share_m)
    return {**batch, PIXELS: tf.concat([pixels_bhwc[:alone], mixed_mhwc], axis=0)}


def _batches(count: int) -> Iterator[np.ndarray]:
    return (np.arange(at, min(at + _BATCH, count)) for at in range(0, count, _BATCH))


def _learned(outputs: Outputs | Answers, info: ModelInfo) -> Answers:
    """Return the teacher as a function to what is learned of it, by name."""

    def run(images_nhwc: np.ndarray) -> Mapping[str, np.ndarray]:
        given = outputs(images_nhwc)
        answers = given if isinstance(given, Mapping) else {TEACHER: given}
        return {**answers, TEACHER: _logits(answers[TEACHER], info)}

    return run


def _logits(outputs_nt: np.ndarray, info: ModelInfo) -> np.ndarray:
    """Return what is learned of a teacher's outputs: embeddings, logits or their like."""
    activation = info.output.activation if isinstance(info.output, Scores) else "none"
    if activation == "softmax":
        return np.log(np.maximum(outputs_nt, np.float32(_LEAST)))
    if activation == "sigmoid":
        return losses.logits_of_sigmoid(outputs_nt).numpy()
    return outputs_nt


def _views(examples: Examples, draws_vnk: Draws, augmentation: Augmentation, seed: int) -> _ViewOf:
    """Return images ``bhwc``, 0 to 255, as a function of their views and rows, ``b`` each."""

    @tf.function(autograph=False, reduce_retracing=True)
    def change(images_bhwc: Any, draws_bk: Any, noise: Any) -> Any:
        pixels_bhwc = tf.cast(images_bhwc, tf.float32)
        noise_seed = tf.stack([tf.constant(seed), noise])
        return apply_changes(pixels_bhwc, draws_bk, STRENGTHS[augmentation.augment], noise_seed)

    def run(views_b: np.ndarray, rows_b: np.ndarray) -> np.ndarray:
        images_bhwc = np.asarray(examples.images_nhwc[rows_b])
        draws_bk = np.asarray(draws_vnk[views_b, rows_b])
        return change(images_bhwc, draws_bk, tf.constant(int(views_b[0]))).numpy()

    return run
