"""The Fisher term: training follows the discriminants, also on mixed images, and goes without them too."""

import numpy as np
import pytest

from components.ml.runtime import tf
from components.ml.settings import Augmentation
from components.ml.techniques import fisher, supervised
from components.ml.techniques.fisher_settings import FisherSettings
from components.ml.training import losses
from components.ml.training.examples import Examples
from components.ml.training.objectives import LABELS, OUTPUT, PIXELS
from tests.components.ml.training.test_discriminants import SIDE, cosines, people
from tests.components.ml.training.test_loop import LOSS, NETWORK, OPTIMIZATION
from tests.components.ml.training.test_objectives import made

IMAGES, LABELLED = people(5, 6, seed=0)
PIXELS_BHWC = IMAGES[:9].astype(np.float32)


def discriminants():
    examples = Examples(IMAGES, LABELLED, 5, compared=True)
    return fisher.discriminants_of(examples, Augmentation(augment="none"), seed=0)


def objective(weight=1.0, mixup=0):
    settings = FisherSettings(fisher_weight=weight, mixup=mixup)
    return fisher.FisherObjective(made(loss="contrastive"), discriminants(), settings)


def term(embeddings, pixels):
    """The objective without the part that learns from the labels."""
    batch = {PIXELS: pixels, LABELS: np.array([0, 0, 1, 1, 2, 2, 3, 3, 4])}
    embeddings = tf.constant(embeddings)
    labelled = losses.contrastive(embeddings[:9], batch[LABELS])
    return float(objective(weight=2.0)({OUTPUT: embeddings}, batch, 0.5) - labelled) / 2


def test_the_term_is_the_squared_difference_of_cosines():
    embeddings = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    seen = discriminants()(PIXELS_BHWC).numpy()
    difference = ((cosines(embeddings) - cosines(seen)) ** 2).mean()
    assert term(embeddings, PIXELS_BHWC) == pytest.approx(difference, rel=1e-4)
    assert term(seen, PIXELS_BHWC) == pytest.approx(0, abs=1e-6)


def test_labels_are_those_of_the_first_images_and_all_are_compared_by_pixels():
    pixels = IMAGES[:12].astype(np.float32)
    embeddings = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    seen = discriminants()(pixels).numpy()
    difference = ((cosines(embeddings) - cosines(seen)) ** 2).mean()
    assert term(embeddings, pixels) == pytest.approx(difference, rel=1e-4)


def test_mixed_images_lie_between_two_images_of_the_batch():
    def prepared(seed):
        return objective(mixup=7).prepare({PIXELS: PIXELS_BHWC}, seed)[PIXELS].numpy()

    mixed = prepared((0, 1))
    assert mixed.shape == (16, SIDE, SIDE, 1)
    np.testing.assert_array_equal(mixed[:9], PIXELS_BHWC)
    pairs = np.array([(i, j) for i in range(9) for j in range(9)])
    for mix in mixed[9:]:
        first, second = mixed[pairs[:, 0]], mixed[pairs[:, 1]]
        span = (first - second).reshape(81, -1)
        share = ((mix - second).reshape(81, -1) * span).sum(1) / np.maximum((span**2).sum(1), 1)
        rest = mix - (
            share[:, None, None, None] * first + (1 - share[:, None, None, None]) * second
        )
        best = np.abs(rest).max(axis=(1, 2, 3)).argmin()
        assert np.abs(rest[best]).max() < 0.01
        assert 0.24 < share[best] < 0.76 or pairs[best][0] == pairs[best][1]
    assert np.array_equal(mixed, prepared((0, 1)))
    assert not np.array_equal(mixed, prepared((0, 2)))


def test_nothing_of_it_runs_when_nobody_asked(pattern_pairs, pattern_data, tmp_path, monkeypatch):
    def never(*arguments):
        raise AssertionError(arguments)

    monkeypatch.setattr(supervised, "discriminants_of", never)
    monkeypatch.setattr(supervised, "FisherObjective", never)
    # Without a weight, and for a classifier, which compares no images.
    for name, data, weight in (("pairs", pattern_pairs, 0.0), ("classes", pattern_data, 10.0)):
        supervised.fit_and_save(
            data, tmp_path / name, tmp_path / f"{name}-report",
            weights=None, network=NETWORK, embedding=8, loss=LOSS,
            fisher=FisherSettings(fisher_weight=weight),
            augmentation=Augmentation(), mean=127.5, scale=127.5, seed=0,
            optimization=OPTIMIZATION,
        )  # fmt: skip
