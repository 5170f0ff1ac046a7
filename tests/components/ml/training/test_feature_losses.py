"""Losses between feature maps, held against the formulas of their papers."""

import numpy as np
import pytest

from components.ml.training import feature_losses

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(5, 3, 2, 4)).astype(np.float32)


def test_attention_is_where_the_squares_are_whatever_the_scale():
    expected = (FEATURES**2).sum(-1).reshape(5, 6)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(feature_losses.attention_map(FEATURES), expected, rtol=1e-5)
    np.testing.assert_allclose(feature_losses.attention_map(-3 * FEATURES), expected, rtol=1e-5)
    dark = feature_losses.attention_map(0 * FEATURES).numpy()
    assert np.isfinite(dark).all()


def test_attention_matching_is_the_squared_distance_of_the_maps():
    other = RANDOM.normal(size=(5, 3, 2, 9)).astype(np.float32)
    maps = [feature_losses.attention_map(one).numpy() for one in (FEATURES, other)]
    loss = feature_losses.attention_matching(FEATURES, maps[1])
    assert float(loss) == pytest.approx(((maps[0] - maps[1]) ** 2).sum(1).mean(), rel=1e-5)
    assert float(feature_losses.attention_matching(FEATURES, maps[0])) == pytest.approx(0, abs=1e-6)


def test_hints_are_matched_through_a_linear_map_at_every_place():
    kernel = RANDOM.normal(size=(4, 7)).astype(np.float32)
    bias = RANDOM.normal(size=7).astype(np.float32)
    mapped = FEATURES @ kernel + bias
    exact = feature_losses.hint_matching(FEATURES, kernel, bias, mapped.reshape(5, -1))
    assert float(exact) == pytest.approx(0, abs=1e-5)
    away = mapped.copy()
    away[2, 1, 1, 3] += 6.0  # one of five images, one of six places
    loss = feature_losses.hint_matching(FEATURES, kernel, bias, away.reshape(5, -1))
    assert float(loss) == pytest.approx(36 / 30, rel=1e-4)
