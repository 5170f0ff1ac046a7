"""Fisher's discriminants: they find the direction that tells people apart."""

import numpy as np
import pytest

from components.ml.runtime import tf
from components.ml.training import discriminants

SIDE = 6


def people(count, each, seed, noise=60.0):
    """Images whose first pixels say who it is, under strong noise elsewhere."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), each)
    images = random.normal(128, noise, (len(labels), SIDE, SIDE, 1))
    own = np.random.default_rng(7).normal(128, 40, (count, 4))
    images[:, 0, :4, 0] = own[labels] + random.normal(0, 4, (len(labels), 4))
    return images.clip(0, 255).astype(np.uint8), labels


def flat(people):
    images, labels = people
    return images.reshape(len(images), -1).astype(float), labels


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
    """Also with fewer images than pixels."""
    found = discriminants.fit(*flat(people(8, each, seed=0, noise=noise)))
    images, labels = people(8, 6, seed=1, noise=noise)
    seen = found(tf.constant(images, tf.float32)).numpy()
    assert seen.shape == (48, 7)
    pixels = images.reshape(48, -1).astype(float) - 128
    assert separation(seen, labels) > 2 * separation(pixels, labels)
    assert separation(seen, labels) > 0.5


def test_discriminants_solve_the_generalized_eigenproblem():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 30)
    pixels = random.normal(size=(120, 5)) + random.normal(size=(4, 5))[labels]
    mean, matrix = (part.numpy() for part in discriminants.solved(tf.constant(pixels), labels))
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
