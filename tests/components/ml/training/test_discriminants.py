"""The linear guide: it finds the direction that tells people apart, and training follows it."""

from dataclasses import replace

import numpy as np
import pytest

from components.ml.runtime import tf
from components.ml.settings import Guidance
from components.ml.training import discriminants
from components.ml.training.examples import Examples
from tests.components.ml.training.test_loop import RECIPE

SIDE = 6


def people(count, each, seed, noise=60.0):
    """Pictures whose first pixels say who it is, under strong noise elsewhere."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), each)
    images = random.normal(128, noise, (len(labels), SIDE, SIDE, 1))
    own = np.random.default_rng(7).normal(128, 40, (count, 4))
    images[:, 0, :4, 0] = own[labels] + random.normal(0, 4, (len(labels), 4))
    return images.clip(0, 255).astype(np.uint8), labels


def fitted(images, labels, **guidance):
    examples = Examples(images, labels, len(np.unique(labels)), compared=True)
    return discriminants.guide_of(
        examples,
        Guidance(**{"guide_weight": 1.0, "mixes": 0, **guidance}),
        replace(RECIPE, augment="none"),
    )


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def separation(vectors, labels):
    """Mean cosine of the same person minus that of others."""
    same = labels[:, None] == labels[None]
    values = cosines(vectors)
    return values[same & ~np.eye(len(labels), dtype=bool)].mean() - values[~same].mean()


@pytest.mark.parametrize(("each", "noise"), [(12, 60), (4, 20)])
def test_discriminants_see_who_it_is_and_not_the_noise(each, noise):
    """Also with fewer pictures than pixels."""
    found = fitted(*people(8, each, seed=0, noise=noise))
    images, labels = people(8, 6, seed=1, noise=noise)
    seen = found.discriminants(tf.constant(images, tf.float32)).numpy()
    assert seen.shape == (48, 7)
    pixels = images.reshape(48, -1).astype(float) - 128
    assert separation(seen, labels) > 2 * separation(pixels, labels)
    assert separation(seen, labels) > 0.5


def test_discriminants_solve_the_generalized_eigenproblem():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 30)
    pixels = random.normal(size=(120, 5)) + random.normal(size=(4, 5))[labels]
    mean, matrix = (
        part.numpy() for part in discriminants._discriminants(tf.constant(pixels), labels)
    )
    np.testing.assert_allclose(mean, pixels.mean(0))
    centres = np.stack([pixels[labels == label].mean(0) for label in range(4)])
    within = np.cov((pixels - centres[labels]).T, bias=True)
    # Shrinkage works in the principal axes, which for all five of them is a rotation.
    within = 0.9 * within + 0.1 * np.trace(within) / 5 * np.eye(5)
    between = np.cov(centres.T, bias=True)
    assert matrix.shape == (5, 3)
    np.testing.assert_allclose(matrix.T @ within @ matrix, np.eye(3), atol=1e-8)
    ratios = matrix.T @ between @ matrix
    np.testing.assert_allclose(ratios, np.diag(np.diag(ratios)), atol=1e-8)
    expected = np.sort(np.linalg.eigvals(np.linalg.solve(within, between)).real)[-3:]
    np.testing.assert_allclose(np.diag(ratios), expected, atol=1e-8)


def test_the_loss_is_the_squared_difference_of_cosines():
    images, labels = people(5, 6, seed=0)
    found = fitted(images, labels)
    pixels = tf.constant(images[:9], tf.float32)
    embeddings = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    seen = cosines(found.discriminants(pixels).numpy())
    assert float(found(tf.constant(embeddings), pixels)) == pytest.approx(
        ((cosines(embeddings) - seen) ** 2).mean(), rel=1e-4
    )
    assert float(found(found.discriminants(pixels), pixels)) == pytest.approx(0, abs=1e-9)


def test_mixes_lie_between_two_images_of_the_batch():
    images, labels = people(5, 6, seed=0)
    found = fitted(images, labels, mixes=7)
    batch = tf.constant(images[:9], tf.float32)
    mixed = found.mixed(batch, (0, 1)).numpy()
    assert mixed.shape == (16, SIDE, SIDE, 1)
    np.testing.assert_array_equal(mixed[:9], batch)
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
    assert np.array_equal(mixed, found.mixed(batch, (0, 1)).numpy())
    assert not np.array_equal(mixed, found.mixed(batch, (0, 2)).numpy())


def test_there_is_no_guide_when_nobody_asked():
    assert fitted(*people(3, 4, 0), guide_weight=0.0) is None
