"""Learning from labels, led by Fisher's linear discriminants of the pixels.

The cosines between the images of a batch are to be those between their discriminants; also for
images that show nobody: two of them mixed. It keeps a network from learning the few people of a
small dataset by heart.

Shapes: b images of a batch, m of them mixed, n images of the fit, p numbers of an image, h rows, w
columns, c channels, k numbers drawn an image, d numbers of an embedding.

References:
    Tung and Mori, Similarity-Preserving Knowledge Distillation, arXiv:1907.09682; Zhang et al.,
    mixup, arXiv:1710.09412.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.ml.runtime import tf
from components.ml.settings import Augmentation
from components.ml.techniques.fisher_settings import FisherSettings
from components.ml.training import discriminants
from components.ml.training.augmentation import (
    MIX_SHARES,
    STRENGTHS,
    apply_changes,
    draw_changes,
    mix_images,
)
from components.ml.training.discriminants import Discriminants
from components.ml.training.examples import Examples
from components.ml.training.losses import similarity_matching
from components.ml.training.objectives import LABELS, OUTPUT, PIXELS, Supervised

_ROWS = 1200
"""Images that the discriminants are fitted on, at most."""
_COPIES = 6
"""Augmented copies of each, where there is room."""


@dataclass(frozen=True, eq=False)
class FisherObjective:
    """Learning from labels and from the discriminants of the training people.

    Attributes:
        labels: Learning from labels.
        discriminants: Of the training images.
        settings: The weight of the mean squared difference between both cosines, and m.
    """

    labels: Supervised
    discriminants: Discriminants
    settings: FisherSettings

    @property
    def variables(self) -> list[Any]:
        """Those of the labels."""
        return self.labels.variables

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch with mixed images, of two random ones each, behind its own."""
        mixup = self.settings.mixup
        if not mixup:
            return batch
        pixels_bhwc = batch[PIXELS]
        count = tf.shape(pixels_bhwc)[0]
        pair_m2 = tf.random.stateless_uniform((mixup, 2), seed=seed, maxval=count, dtype=tf.int32)
        least, most = MIX_SHARES
        share_m = tf.random.stateless_uniform((mixup,), seed=seed, minval=least, maxval=most)
        first_mhwc = tf.gather(pixels_bhwc, pair_m2[:, 0])
        second_mhwc = tf.gather(pixels_bhwc, pair_m2[:, 1])
        mixed_mhwc = mix_images(first_mhwc, second_mhwc, share_m)
        return {**batch, PIXELS: tf.concat([pixels_bhwc, mixed_mhwc], axis=0)}

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss."""
        outputs_bd = outputs[OUTPUT]
        loss = self.labels.on(outputs_bd[: batch[LABELS].shape[0]], batch, progress)
        wanted_bg = self.discriminants(batch[PIXELS])
        return loss + self.settings.fisher_weight * similarity_matching(outputs_bd, wanted_bg)


def discriminants_of(examples: Examples, augmentation: Augmentation, seed: int) -> Discriminants:
    """Fit discriminants to the training images, some of them augmented."""
    random = np.random.default_rng([seed, len(examples.labels_n)])
    chosen = random.permutation(examples.images)[:_ROWS]
    copies = min(_COPIES, _ROWS // len(chosen) - 1)
    pixels = [np.asarray(examples.images_nhwc[np.sort(chosen)], np.float32)]
    strength = STRENGTHS[augmentation.augment]
    for copy in range(copies):
        draws_nk = draw_changes(len(chosen), flip=augmentation.flip, random=random)
        changed = apply_changes(tf.constant(pixels[0]), tf.constant(draws_nk), strength, (copy, 0))
        pixels.append(changed.numpy())
    pixels_np = np.concatenate(pixels).reshape(len(chosen) * (copies + 1), -1)
    return discriminants.fit(pixels_np, np.tile(examples.labels_n[np.sort(chosen)], copies + 1))
