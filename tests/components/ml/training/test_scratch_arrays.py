"""What waits in files is what would have been in memory, and a teacher's answers nearly so."""

from __future__ import annotations

import numpy as np
import pytest

from components.ml.runtime import tf
from components.ml.training import losses
from components.ml.training.augmentation import draw_changes, drawn_changes
from components.ml.training.scratch_arrays import HalfAnswers, filled, scratch_array


def test_drawing_a_few_rows_at_a_time_draws_the_same_numbers() -> None:
    for draw in (
        lambda random, n: random.random((n, 3), dtype=np.float32),
        lambda random, n: random.integers(0, 8, (n, 2)),
        lambda random, n: random.integers(0, 777, (n, 2)),
        lambda random, n: random.uniform(0.25, 0.75, n).astype(np.float32),
    ):
        whole = draw(np.random.default_rng(1), 10_001)
        random = np.random.default_rng(1)
        parts = filled(whole.shape, whole.dtype, lambda n, draw=draw, r=random: draw(r, n))
        assert np.array_equal(parts, whole)
    changes = drawn_changes(10_001, flip=True, random=np.random.default_rng(2))
    assert np.array_equal(changes, draw_changes(10_001, flip=True, random=np.random.default_rng(2)))


def test_what_is_released_is_read_again() -> None:
    answers = HalfAnswers((2, 5, 3))
    given = np.arange(30, dtype=np.float32).reshape(2, 5, 3) - 7
    for view in range(2):
        answers[view, np.arange(5)] = given[view]
    answers.release()
    assert answers.shape == (2, 5, 3)
    seen = (np.array([0, 1, 1]), np.array([4, 0, 4]))
    assert np.array_equal(answers[seen], given[seen])
    assert np.array_equal(answers[1], given[1])
    assert answers[seen].dtype == np.float32


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-6, 1.0, 3e4, 1e30])
def test_answers_of_any_size_are_off_by_a_2048th_at_most(size: float) -> None:
    given = np.random.default_rng(0).standard_normal((50, 16)).astype(np.float32) * np.float32(size)
    answers = HalfAnswers((50, 16))
    answers[np.arange(50)] = given
    error = np.abs(answers[np.arange(50)] - given)
    largest = np.abs(given).max(axis=1, keepdims=True)
    assert (error <= np.abs(given) / 2048 + largest * 2.0**-25 + 1e-45).all()


def test_answers_that_are_no_numbers_stay_so() -> None:
    answers = HalfAnswers((2, 2))
    answers[np.arange(2)] = np.array([[np.nan, 1.0], [-np.inf, 1.0]], np.float32)
    assert np.isnan(answers[0][0])
    assert np.isneginf(answers[1][0])


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_bits_are_harmless_to_every_loss(seed: int) -> None:
    """By less than a thousandth: far below what another order of the images changes."""
    random = np.random.default_rng(seed)
    images, numbers = 32, 24
    logits = (4 * random.standard_normal((images, numbers))).astype(np.float32)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    shared = random.standard_normal((1, numbers))  # embeddings of one network point one way
    vectors = (1e3 * (shared + 0.5 * random.standard_normal((images, numbers)))).astype(np.float32)
    student = random.standard_normal((images, numbers)).astype(np.float32)

    def loss_of(loss, exact: np.ndarray) -> tuple[float, float]:  # type: ignore[no-untyped-def]
        kept = HalfAnswers(exact.shape)
        kept[np.arange(images)] = exact
        rounded = kept[np.arange(images)]
        assert not np.array_equal(rounded, exact)
        return float(loss(tf.constant(student), exact)), float(loss(tf.constant(student), rounded))

    for loss, exact in (
        (lambda s, t: losses.soft_labels(s, t, 1.0), 8 * logits),
        (lambda s, t: losses.soft_labels(s, t, 4.0), np.log(chances)),
        (lambda s, t: losses.soft_scores(s, t, 2.0), logits),
        (losses.embedding_matching, vectors),
        (losses.relational_matching, vectors),
        (losses.similarity_matching, vectors),
    ):
        before, after = loss_of(loss, exact.astype(np.float32))
        assert after == pytest.approx(before, rel=1e-3)


def test_a_scratch_array_begins_with_zeros() -> None:
    assert not scratch_array((3, 4), np.float16).any()
