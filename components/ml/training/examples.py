"""The examples of a training: its images, their labels, and how an epoch goes through them.

Shapes: n images, s batches of an epoch, b images in a batch, m mixes in a batch, x mixes that the
teacher was asked about, h rows, w columns, c channels, k numbers drawn an image, v views, t numbers
of a teacher's output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from components.ml.settings import Recipe
from components.ml.training import augmentation, batches
from components.ml.training.augmentation import Draws
from components.ml.training.objectives import LABELS, TEACHER

IMAGES = "images"
DRAWS = "draws"
SHARES = "shares"


@dataclass(frozen=True, eq=False)
class Mixes:
    """What a teacher said of mixes of two views each.

    Attributes:
        views_x2: Views of both.
        rows_x2: Images of both.
        shares_x: Of the first in the mix, 0 to 1.
        outputs_xt: The teacher's answers.
        batch: m.
    """

    views_x2: np.ndarray
    rows_x2: np.ndarray
    shares_x: np.ndarray
    outputs_xt: np.ndarray
    batch: int


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """What a teacher said of the training images, each seen in a few ways.

    Attributes:
        draws_vnk: How each image is changed in each view.
        outputs_vnt: The teacher's answers.
        mixes: And of mixes of these, when batches are to have some.
    """

    draws_vnk: Draws
    outputs_vnt: np.ndarray
    mixes: Mixes | None = None


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learned from.

    Attributes:
        images_nhwc: uint8; may lie on disk.
        labels_n: 0 to ``classes`` - 1.
        classes: How many labels occur.
        compared: Whether batches hold several images of one label, to compare them.
        taught: With a teacher, images are seen in its views; without, each epoch draws new ones.
    """

    images_nhwc: np.ndarray
    labels_n: np.ndarray
    classes: int
    compared: bool
    taught: TeacherOutputs | None = None

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.labels_n)

    def batch(self, recipe: Recipe) -> int:
        """Return b: no batch holds more than there is."""
        if not self.compared:
            return min(recipe.batch, self.images)
        return min(recipe.identities_per_batch, self.classes) * recipe.images_per_identity

    def steps(self, recipe: Recipe) -> int:
        """Return the batches of an epoch, which hold about all images once."""
        share = self.images / self.batch(recipe)
        return max(1, round(share)) if self.compared else int(share)

    def epoch(self, number: int, recipe: Recipe) -> Iterator[dict[str, np.ndarray]]:
        """Draw the batches of an epoch: images, draws, labels and the teacher's outputs.

        With mixes, the images and draws of what is mixed come behind those that have labels, first
        all firsts and then all seconds; the teacher's outputs are of the b images and the m mixes.
        """
        random = np.random.default_rng([recipe.seed, number])
        if self.compared:
            rows_sb = batches.of_identities(
                self.labels_n,
                recipe.identities_per_batch,
                recipe.images_per_identity,
                self.steps(recipe),
                random,
            )
        else:
            rows_sb = batches.shuffled(self.images, recipe.batch, random)
        if self.taught is None:
            fresh_nk = augmentation.draw(self.images, flip=recipe.flip, random=random)
            for rows_b in rows_sb:
                yield {**self._known(rows_b), DRAWS: fresh_nk[rows_b]}
            return
        views_n = random.integers(0, len(self.taught.draws_vnk), self.images)
        for rows_b in rows_sb:
            seen = (views_n[rows_b], rows_b)
            batch = {
                **self._known(rows_b),
                DRAWS: self.taught.draws_vnk[seen],
                TEACHER: self.taught.outputs_vnt[seen],
            }
            if self.taught.mixes is not None:
                self._add(batch, self.taught, self.taught.mixes, random)
            yield batch

    def _add(
        self,
        batch: dict[str, np.ndarray],
        taught: TeacherOutputs,
        mixes: Mixes,
        random: np.random.Generator,
    ) -> None:
        chosen_m = random.integers(0, len(mixes.shares_x), mixes.batch)
        views, rows = (half[chosen_m].T.ravel() for half in (mixes.views_x2, mixes.rows_x2))
        batch[IMAGES] = np.concatenate([batch[IMAGES], self.images_nhwc[rows]])
        batch[DRAWS] = np.concatenate([batch[DRAWS], taught.draws_vnk[views, rows]])
        batch[SHARES] = mixes.shares_x[chosen_m]
        batch[TEACHER] = np.concatenate([batch[TEACHER], mixes.outputs_xt[chosen_m]])

    def _known(self, rows_b: np.ndarray) -> dict[str, np.ndarray]:
        return {
            IMAGES: self.images_nhwc[rows_b],
            LABELS: self.labels_n[rows_b].astype(np.int32),
        }
