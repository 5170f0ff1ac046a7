"""The examples of a training: its images, their labels, and how an epoch goes through them.

Shapes: n images, s batches of an epoch, b images in a batch, m mixed images in a batch, x mixed
images that the teacher was asked about, h rows, w columns, c channels, k numbers drawn an image, v
views, t numbers of a teacher's output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from components.artifacts.dataset import Dataset, Images
from components.artifacts.image_file import release
from components.contract.errors import UserError
from components.contract.types import Task
from components.ml.settings import Augmentation, Optimization
from components.ml.training import batches
from components.ml.training.augmentation import (
    Draws,
    drawn_changes,
    settled_for_answers,
    settled_for_labels,
)
from components.ml.training.objectives import LABELS
from components.ml.training.quarter_turns import TurnedImages, turned
from components.ml.training.scratch_arrays import HalfAnswers

IMAGES = "images"
DRAWS = "draws"
SHARES = "shares"
_MAPPED_BATCHES = 64
"""After so many, the memory of what was read of a teacher's answers is given back."""


@dataclass(frozen=True, eq=False)
class MixupOutputs:
    """What a teacher answered about mixed images, of two views each.

    Attributes:
        views_x2: Views of both.
        rows_x2: Images of both.
        shares_x: Of the first in the mix, 0 to 1.
        outputs: The teacher's answers ``xt`` by name, as in ``TeacherOutputs``.
        batch: m.
    """

    views_x2: np.ndarray
    rows_x2: np.ndarray
    shares_x: np.ndarray
    outputs: Mapping[str, HalfAnswers]
    batch: int

    def release(self) -> None:
        """Give back the memory of what was read; it stays in its files."""
        release([self.views_x2, self.rows_x2, self.shares_x])
        for answers in self.outputs.values():
            answers.release()


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """What a teacher answered about the training images, each seen in a few ways.

    Attributes:
        draws_vnk: How each image is changed in each view.
        outputs: The teacher's answers ``vnt`` by the name under which a batch holds them:
            ``TEACHER``, and what was asked of layers inside of it.
        mixup: And about mixed ones, when batches are to have some.
    """

    draws_vnk: Draws
    outputs: Mapping[str, HalfAnswers]
    mixup: MixupOutputs | None = None

    def release(self) -> None:
        """Give back the memory of what was read; it stays in its files."""
        release([self.draws_vnk])
        for answers in self.outputs.values():
            answers.release()
        if self.mixup is not None:
            self.mixup.release()


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learned from.

    Attributes:
        images_nhwc: uint8; may lie on disk.
        labels_n: 0 to ``classes`` - 1.
        classes: How many labels occur.
        compared: Whether batches hold several images of one label, to compare them.
        teacher: What it answered: images are then seen in its views; without, each epoch draws
            new ones.
    """

    images_nhwc: Images | TurnedImages
    labels_n: np.ndarray
    classes: int
    compared: bool
    teacher: TeacherOutputs | None = None

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.labels_n)

    def batch(self, optimization: Optimization) -> int:
        """Return b: no batch holds more than there is."""
        if not self.compared:
            return min(optimization.batch, self.images)
        identities = min(optimization.identities_per_batch, self.classes)
        return identities * optimization.images_per_identity

    def steps(self, optimization: Optimization) -> int:
        """Return the batches of an epoch, which hold about all images once."""
        share = self.images / self.batch(optimization)
        return max(1, round(share)) if self.compared else int(share)

    def settled(
        self, augmentation: Augmentation, task: Task, optimization: Optimization
    ) -> Augmentation:
        """Return an augmentation whose strength is known: see ``augmentation``."""
        if self.teacher is not None:
            return settled_for_answers(augmentation)
        return settled_for_labels(
            augmentation, task, self.steps(optimization) * optimization.epochs
        )

    def epoch(
        self, number: int, optimization: Optimization, *, flip: bool, seed: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Draw the batches of an epoch: images, draws, labels and the teacher's outputs.

        With mixup, the images and draws of what is mixed come behind those that have labels, first
        all firsts and then all seconds; the teacher's outputs are of the b images and then of the m
        mixed ones.
        """
        random = np.random.default_rng([seed, number])
        if self.compared:
            rows_sb = batches.of_identities(
                self.labels_n,
                optimization.identities_per_batch,
                optimization.images_per_identity,
                self.steps(optimization),
                random,
            )
        else:
            rows_sb = batches.shuffled(self.images, optimization.batch, random)
        if self.teacher is None:
            fresh_nk = drawn_changes(self.images, flip=flip, random=random)
            for rows_b in rows_sb:
                yield {**self._known(rows_b), DRAWS: np.asarray(fresh_nk[rows_b])}
            return
        views_n = random.integers(0, len(self.teacher.draws_vnk), self.images)
        for index, rows_b in enumerate(rows_sb):
            if index % _MAPPED_BATCHES == 0:
                self.teacher.release()
            seen = (views_n[rows_b], rows_b)
            batch = {
                **self._known(rows_b),
                DRAWS: np.asarray(self.teacher.draws_vnk[seen]),
                **{name: answers[seen] for name, answers in self.teacher.outputs.items()},
            }
            if self.teacher.mixup is not None:
                self._add(batch, self.teacher.draws_vnk, self.teacher.mixup, random)
            yield batch

    def _add(
        self,
        batch: dict[str, np.ndarray],
        draws_vnk: Draws,
        mixup: MixupOutputs,
        random: np.random.Generator,
    ) -> None:
        chosen_m = random.integers(0, len(mixup.shares_x), mixup.batch)
        both = (mixup.views_x2, mixup.rows_x2)
        views, rows = (np.asarray(half[chosen_m]).T.ravel() for half in both)
        batch[IMAGES] = np.concatenate([batch[IMAGES], self.images_nhwc[rows]])
        batch[DRAWS] = np.concatenate([batch[DRAWS], np.asarray(draws_vnk[views, rows])])
        batch[SHARES] = np.asarray(mixup.shares_x[chosen_m])
        for name, answers in mixup.outputs.items():
            batch[name] = np.concatenate([batch[name], answers[chosen_m]])

    def _known(self, rows_b: np.ndarray) -> dict[str, np.ndarray]:
        return {
            IMAGES: self.images_nhwc[rows_b],
            LABELS: self.labels_n[rows_b].astype(np.int32),
        }


def examples_of(data: Dataset, *, turns: bool = False, mirrors: bool = False) -> Examples:
    """Return the train split as examples.

    Args:
        data: Holds it.
        turns: Whether the quarter turns of an identity are identities, too (verification).
        mirrors: Whether mirror images are, too (verification).

    Raises:
        UserError: One identity or class only, no identity with a second image, or turns of what
            cannot be turned.
    """
    task, split = data.info.task, "train"
    labels_n = np.asarray(data.labels(split))
    present, dense_n, counts = np.unique(labels_n, return_inverse=True, return_counts=True)
    unit = "identity" if task == "verification" else "class"
    if len(present) < 2:
        raise UserError(
            f"all {len(labels_n)} training images are of one {unit}, "
            f"{data.info.classes[present[0]]!r}: there is nothing to tell apart",
            f"give the images of a second {unit}",
        )
    if task == "verification" and counts.max() < 2:
        raise UserError(
            "no identity has a second training image, so nothing says what stays the same",
            "give at least two images of each identity",
        )
    compared = task == "verification"
    images_nhwc, labels_n = data.images(split), dense_n if compared else labels_n
    # An embedding learns from the identities that are there; a classifier knows all classes.
    classes = len(present) if compared else len(data.info.classes)
    if not (turns or mirrors):
        return Examples(images_nhwc, labels_n, classes, compared)
    if not compared:
        name, what = ("turns", "turned") if turns else ("mirrors", "mirrored")
        raise UserError(
            f"{name} makes identities of {what} images, and the task is classification",
            f"leave {name} away",
        )
    turned_nhwc, labels_n = turned(images_nhwc, labels_n, classes, turns=turns, mirrors=mirrors)
    return Examples(turned_nhwc, labels_n, turned_nhwc.times * classes, compared)
