from hashlib import sha256
from pathlib import Path

import numpy as np

from components.ml.formats import calibration
from components.ml.techniques import image_draws


def test_rows_are_drawn_evenly_even_where_a_class_is_small() -> None:
    labels = np.array([0] * 90 + [1] * 8 + [2] * 2)
    rows = image_draws.draw(labels, 20, seed=0)
    assert np.bincount(labels[rows]).tolist() == [10, 8, 2]
    assert np.bincount(labels[image_draws.draw(labels, 6, seed=0)]).tolist() == [
        2,
        2,
        2,
    ]
    assert len(set(rows.tolist())) == 20
    assert rows.tolist() == sorted(rows.tolist())


def test_the_seed_and_nothing_else_chooses() -> None:
    labels = np.arange(100) % 7
    one, same, other = (image_draws.draw(labels, 30, seed) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def test_fewer_classes_than_asked_for_images_and_more() -> None:
    assert image_draws.draw(np.arange(5), 200, seed=0).tolist() == [0, 1, 2, 3, 4]
    assert len(set(image_draws.draw(np.arange(50), 10, seed=0).tolist())) == 10


def test_a_short_draw_favours_no_class() -> None:
    labels = np.repeat(np.arange(50), 4)
    drawn = [labels[image_draws.draw(labels, 10, seed)].mean() for seed in range(60)]
    assert abs(np.mean(drawn) - 24.5) < 3


def test_a_random_draw_takes_classes_as_often_as_they_are_there() -> None:
    labels = np.array([0] * 900 + [1] * 100)
    rows = image_draws.draw_random(1000, 300, seed=0)
    assert len(set(rows.tolist())) == 300
    assert rows.tolist() == sorted(rows.tolist())
    assert 15 <= np.count_nonzero(labels[rows]) <= 45
    assert rows.tolist() != image_draws.draw_random(1000, 300, seed=1).tolist()
    assert image_draws.draw_random(3, 300, seed=0).tolist() == [0, 1, 2]


def test_identities_are_drawn_whole_and_those_with_a_pair_first() -> None:
    labels = np.array([0, 1, 2, 2, 2, 3, 4, 4])
    rows = image_draws.draw_identities(labels, 5, seed=0)
    assert rows.tolist() == [2, 3, 4, 6, 7]
    assert len(image_draws.draw_identities(labels, 1, seed=0)) == 5  # two identities at least
    assert image_draws.draw_identities(labels, 100, seed=0).tolist() == list(range(8))


def test_full_range_marks_two_pixels_and_leaves_the_original_alone() -> None:
    pixels = np.full((3, 4, 4, 3), 100, np.uint8)
    marked = image_draws.with_full_range(pixels)
    assert (marked.min(), marked.max()) == (0, 255)
    assert (marked != pixels).sum() == 6
    assert (pixels == 100).all()


def test_calibration_images_are_the_same_bytes_under_every_python(tmp_path: Path) -> None:
    """The fields that a release of Python may choose are those of the plain zip format."""
    images = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    calibration.write(tmp_path, images)
    with np.load(tmp_path / "calibration.npz") as arrays:
        assert np.array_equal(arrays["images"], images)
    content = (tmp_path / "calibration.npz").read_bytes()
    assert (
        sha256(content).hexdigest()
        == "69f0b49f26da28977d83b298a771f5671b631d0107313ead4cdd38641d0ccd1f"
    )
