"""Quarter turns and mirror images: so many times as many identities, each image where it belongs."""

import numpy as np
import pytest

from components.artifacts.dataset import Dataset, write_dataset
from components.contract.errors import UserError
from components.ml.settings import Optimization
from components.ml.training.examples import IMAGES, examples_of
from components.ml.training.objectives import LABELS


def test_every_image_is_there_in_four_turns_with_a_label_for_each(pattern_pairs):
    data = Dataset.open(pattern_pairs)
    plain, examples = examples_of(data), examples_of(data, turns=True)
    assert (examples.images, examples.classes) == (4 * plain.images, 4 * plain.classes)
    assert np.array_equal(np.unique(examples.labels_n), np.arange(16))
    rows = np.array([0, 160, 161, 320, 480, 639])
    seen = examples.images_nhwc[rows]
    for row, image in zip(rows, seen, strict=True):
        turn, place = divmod(row, 160)
        expected = np.rot90(np.asarray(plain.images_nhwc[place]), turn)
        assert np.array_equal(image, expected), row
        assert examples.labels_n[row] == plain.labels_n[place] + 4 * turn


@pytest.mark.parametrize(("turns", "times"), [(True, 8), (False, 2)])
def test_mirror_images_come_behind_the_turns_with_labels_of_their_own(pattern_pairs, turns, times):
    data = Dataset.open(pattern_pairs)
    plain, examples = examples_of(data), examples_of(data, turns=turns, mirrors=True)
    assert (examples.images, examples.classes) == (times * plain.images, times * plain.classes)
    assert np.array_equal(np.unique(examples.labels_n), np.arange(times * 4))
    rows = np.arange(times) * 160 + 7
    image = np.asarray(plain.images_nhwc[7])
    forms = [np.rot90(image, turn) for turn in range(times // 2)]
    expected = np.stack([*forms, *(form[:, ::-1] for form in forms)])
    assert np.array_equal(examples.images_nhwc[rows], expected)
    assert len(np.unique(expected.reshape(times, -1), axis=0)) == times, "all differ"
    assert examples.labels_n[rows].tolist() == [plain.labels_n[7] + 4 * n for n in range(times)]


def test_a_batch_holds_one_turn_of_each_of_its_identities(pattern_pairs):
    examples = examples_of(Dataset.open(pattern_pairs), turns=True)
    optimization = Optimization(identities_per_batch=8, images_per_identity=4)
    assert examples.steps(optimization) == 20
    batch = next(examples.epoch(1, optimization, flip=False, seed=0))
    labels = batch[LABELS]
    assert len(np.unique(labels)) == 8
    first = batch[IMAGES][labels == labels[0]].astype(float).mean(0)
    of_class = np.asarray(
        [examples.images_nhwc[np.flatnonzero(examples.labels_n == label)].mean(0) for label in range(16)]
    )  # fmt: skip
    nearest = np.abs(of_class - first).mean((1, 2, 3))
    assert nearest[labels[0]] < nearest.min() + 3


def test_what_cannot_be_turned_is_refused(pattern_data, tmp_path):
    with pytest.raises(UserError, match="leave turns away"):
        examples_of(Dataset.open(pattern_data), turns=True)
    with pytest.raises(UserError, match="leave mirrors away"):
        examples_of(Dataset.open(pattern_data), mirrors=True)
    examples_of(Dataset.open(pattern_data))  # the fix
    for width, height in ((6, 8), (6, 6)):
        images = np.zeros((8, height, width, 1), np.uint8)
        images += np.arange(8, dtype=np.uint8)[:, None, None, None]
        labels = np.arange(8) % 2
        data = write_dataset(
            tmp_path / f"{height}", {"train": (images, labels)},
            task="verification", classes=("a", "b"),
        )  # fmt: skip
        if width == height:  # the fix
            assert examples_of(data, turns=True).images == 32
            continue
        with pytest.raises(UserError, match=r"set image: \{height: 6, width: 6\}"):
            examples_of(data, turns=True)
        assert examples_of(data, mirrors=True).images == 16  # and these fit
