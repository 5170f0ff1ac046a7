"""Which images go into a batch."""

import numpy as np
import pytest

from components.ml.training import batches


def random(seed=0):
    return np.random.default_rng(seed)


def test_every_image_comes_once_an_epoch_but_for_the_rest():
    rows = batches.shuffled(103, 10, random())
    assert rows.shape == (10, 10)
    assert len(np.unique(rows)) == 100
    assert rows.min() >= 0
    assert rows.max() < 103


def test_a_batch_is_never_larger_than_what_there_is():
    assert batches.shuffled(3, 10, random()).shape == (1, 3)


def test_a_seed_fixes_the_order():
    one, same = batches.shuffled(50, 5, random(1)), batches.shuffled(50, 5, random(1))
    other = batches.shuffled(50, 5, random(2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


LABELS = np.repeat(np.arange(7), [4, 4, 4, 4, 9, 2, 3])


def test_a_batch_holds_p_identities_with_k_different_images_of_each():
    rows = batches.of_identities(LABELS, 3, 2, 40, random())
    assert rows.shape == (40, 6)
    for row in rows:
        labels, counts = np.unique(LABELS[row], return_counts=True)
        assert len(labels) == 3
        assert (counts == 2).all()
        assert len(np.unique(row)) == 6
        assert (LABELS[row].reshape(3, 2) == LABELS[row].reshape(3, 2)[:, :1]).all()


def test_identities_and_the_images_of_one_come_equally_often():
    rows = batches.of_identities(LABELS, 3, 2, 70, random())
    times = np.bincount(LABELS[rows].ravel())
    assert np.ptp(times) <= 2  # 70 batches x 3 of 7: 30 visits of 2 images each
    for label in range(7):
        seen = np.bincount(rows.ravel(), minlength=len(LABELS))[label == LABELS]
        assert np.ptp(seen) <= 1


def test_a_small_identity_repeats_its_images():
    rows = batches.of_identities(LABELS, 7, 4, 1, random())
    drawn = rows[0][LABELS[rows[0]] == 5]
    assert sorted(np.unique(drawn, return_counts=True)[1]) == [2, 2]


def test_more_identities_than_there_are_means_all_of_them():
    assert batches.of_identities(LABELS, 100, 2, 1, random()).shape == (1, 14)


@pytest.mark.parametrize(
    ("labels", "identities", "images"),
    [(np.zeros(9, int), 4, 2), (LABELS, 1, 2), (LABELS, 4, 1)],
    ids=["one identity in the data", "one identity a batch", "one image each"],
)
def test_a_batch_without_pairs_of_both_kinds_is_an_error(labels, identities, images):
    with pytest.raises(ValueError, match="at least 2 of each"):
        batches.of_identities(labels, identities, images, 1, random())
