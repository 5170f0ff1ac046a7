import numpy as np
import pytest


@pytest.mark.parametrize("initialization", ["k-means++", "density", "linear"])
def test_groups_are_found_from_every_beginning(initialization):
    from components.ml.techniques.k_means import centroids_of, nearest

    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(middle, 0.01, 50) for middle in (-2, 0.5, 3)])
    found = centroids_of(values, 3, initialization, random)
    assert np.allclose(found, [-2, 0.5, 3], atol=0.02)
    assert np.array_equal(nearest(values, found), np.repeat([0, 1, 2], 50))


def test_centroids_lower_the_error_below_that_of_equal_steps():
    from components.ml.techniques.k_means import centroids_of, nearest

    values = np.random.default_rng(0).normal(size=2000)
    even = np.linspace(values.min(), values.max(), 16)
    found = centroids_of(values, 16, "linear", np.random.default_rng(0))
    errors = [np.square(c[nearest(values, c)] - values).mean() for c in (found, even)]
    assert errors[0] < 0.8 * errors[1]


def test_pinned_values_stay_and_count():
    from components.ml.techniques.k_means import centroids_of

    values = np.random.default_rng(0).normal(size=500)
    found = centroids_of(values, 5, "density", np.random.default_rng(0), pinned=(0.0, 7.0))
    assert len(found) == 5
    assert {0.0, 7.0} <= set(found)
    few = centroids_of(np.array([1.0, 1.0, 2.0]), 8, "k-means++", np.random.default_rng(0), (0.0,))
    assert np.array_equal(few, [0, 1, 2])
    assert np.array_equal(
        centroids_of(np.zeros(4), 4, "linear", np.random.default_rng(0), (0.0,)), [0]
    )
