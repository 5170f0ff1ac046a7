"""What augmentation does to images, told by images that show it."""

from dataclasses import replace

import numpy as np
import pytest

from components.ml.runtime import configure, tf
from components.ml.settings import Augmentation
from components.ml.training import augmentation
from components.ml.training.augmentation import STRENGTHS, Strength

SEED = (0, 0)
SHAPE = (12, 10, 1)


def gradient(count=4):
    """Pictures that become lighter to the right and, less, downwards."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    picture = (40 + 15 * columns + 4 * rows).astype(np.float32)
    return np.repeat(picture[None, ..., None], count, axis=0)


def drawn(count=4, **fixed):
    """Draws in the middle, where nothing happens, but for some."""
    draws = np.full((count, len(augmentation._NAMES)), 0.5, np.float32)
    draws[:, augmentation._NAMES.index("mirror")] = 0
    for name, value in fixed.items():
        draws[:, augmentation._NAMES.index(name)] = value
    return draws


def changed(strength, draws, images=None):
    images = gradient(len(draws)) if images is None else images
    return augmentation.apply_changes(
        tf.constant(images), tf.constant(draws), strength, SEED
    ).numpy()


def test_none_leaves_every_pixel():
    draws = augmentation.draw_changes(4, flip=False, random=np.random.default_rng(0))
    np.testing.assert_array_equal(changed(STRENGTHS["none"], draws), gradient())


def test_middle_draws_leave_the_picture_but_for_noise_and_cover():
    strength = replace(STRENGTHS["strong"], noise=0.0, covered=0.0)
    np.testing.assert_allclose(changed(strength, drawn()), gradient(), atol=0.01)


def test_flip_mirrors_exactly_half_and_only_when_asked():
    random = np.random.default_rng(0)
    draws = augmentation.draw_changes(1000, flip=True, random=random)
    assert set(draws[:, 0]) == {0.0, 1.0}
    assert 400 < draws[:, 0].sum() < 600
    assert not augmentation.draw_changes(1000, flip=False, random=random)[:, 0].any()
    np.testing.assert_allclose(
        changed(STRENGTHS["none"], drawn(mirror=1)), gradient()[:, :, ::-1], atol=1e-3
    )


def test_shift_moves_by_the_share_of_the_side_and_repeats_the_edge():
    moved = changed(Strength(shift=0.2), drawn(shift_x=1.0))  # 0.2 x 10 columns
    np.testing.assert_allclose(moved[:, :, :-2], gradient()[:, :, 2:], atol=1e-3)
    np.testing.assert_allclose(moved[:, :, -2:], gradient()[:, :, -1:].repeat(2, 2), atol=1e-3)
    down = changed(Strength(shift=0.25), drawn(shift_y=0.0))  # 0.25 x 12 rows
    np.testing.assert_allclose(down[:, 3:], gradient()[:, :-3], atol=1e-3)


def test_rotation_turns_about_the_middle():
    square = np.zeros((1, 11, 11, 1), np.float32)
    square[0, 5, 8] = 200
    turned = changed(Strength(rotation=np.pi / 2), drawn(1, rotation=1.0), square)
    assert np.unravel_index(turned[0, :, :, 0].argmax(), (11, 11)) in {(2, 5), (8, 5)}
    assert turned.max() == pytest.approx(200, abs=1)


def test_zoom_enlarges_or_shrinks_about_the_middle():
    middle = 64.0
    image = gradient(1)
    wide = changed(Strength(zoom=np.log(2)), drawn(1, zoom=1.0), image)
    slope = np.diff(wide[0, 6, 3:7, 0]).mean()
    assert slope == pytest.approx(30, abs=0.5)  # twice as much of the picture in the same place
    near = changed(Strength(zoom=np.log(2)), drawn(1, zoom=0.0), image)
    assert np.diff(near[0, 6, 3:7, 0]).mean() == pytest.approx(7.5, abs=0.5)
    assert middle < wide[0, 5:7, 4:6].mean() < 255


def test_brightness_contrast_gamma_and_light():
    grey = np.full((1, *SHAPE), 127.5, np.float32)
    lighter = changed(Strength(brightness=0.2), drawn(1, brightness=1.0), grey)
    np.testing.assert_allclose(lighter, 127.5 + 51, atol=0.01)
    steeper = changed(
        Strength(brightness=1e-9, contrast=np.log(2)), drawn(1, contrast=1.0), grey + 10
    )
    np.testing.assert_allclose(steeper, 147.5, atol=0.01)
    darker = changed(Strength(gamma=np.log(2)), drawn(1, gamma=1.0), grey)
    np.testing.assert_allclose(darker, 127.5 / 2, atol=0.01)
    lamp = changed(Strength(brightness=1e-9, light=0.1), drawn(1, light_x=1.0), grey)[0, 0, :, 0]
    np.testing.assert_allclose(lamp[[0, -1]], [127.5 - 25.5, 127.5 + 25.5], atol=0.01)


def test_cover_hides_a_rectangle_of_one_grey_in_the_chosen_images():
    draws = drawn(2, cover_x=0.5, cover_y=0.5, cover_grey=1.0)
    draws[:, augmentation._NAMES.index("covered")] = [0.0, 0.9]
    strength = Strength(covered=0.5, cover=0.6)
    covered, other = changed(strength, draws, np.zeros((2, *SHAPE), np.float32))
    assert set(np.unique(covered)) == {0.0, 255.0}
    rows, columns = np.nonzero(covered[:, :, 0])
    assert len(rows) == len(np.unique(rows)) * len(np.unique(columns))
    assert 0 < covered.mean() / 255 < 0.36
    assert not other.any()


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_results_stay_pixels_and_depend_on_the_draws_alone(strength):
    configure(2, 0)
    noise = np.random.default_rng(1).integers(0, 256, (16, *SHAPE)).astype(np.float32)
    draws = augmentation.draw_changes(16, flip=True, random=np.random.default_rng(2))
    once, again = (changed(STRENGTHS[strength], draws, noise) for _ in range(2))
    assert np.array_equal(once, again)
    assert once.min() >= 0
    assert once.max() <= 255
    other = augmentation.draw_changes(16, flip=True, random=np.random.default_rng(3))
    assert not np.array_equal(once, changed(STRENGTHS[strength], other, noise))


def test_strong_is_stronger_than_light():
    images, draws = (
        gradient(64),
        augmentation.draw_changes(64, flip=False, random=np.random.default_rng(0)),
    )
    light, strong = (
        np.abs(changed(STRENGTHS[name], draws, images) - images).mean()
        for name in ("light", "strong")
    )
    assert 0 < light < strong


@pytest.mark.parametrize(
    ("task", "steps", "augment"),
    [
        ("classification", 1499, "none"),
        ("classification", 1500, "light"),
        ("verification", 10, "light"),
    ],
)
def test_auto_follows_from_the_length_of_the_training(task, steps, augment):
    settled = augmentation.settled_for_labels(Augmentation(flip=True), task, steps)
    assert settled == Augmentation(augment=augment, flip=True)
    assert augmentation.settled_for_answers(Augmentation()) == Augmentation(augment="light")
    strong = Augmentation(augment="strong")
    assert augmentation.settled_for_answers(strong) is strong
    assert augmentation.settled_for_labels(strong, task, steps) is strong


def test_affine_moves_far_and_changes_no_light():
    draws = augmentation.draw_changes(32, flip=False, random=np.random.default_rng(0))
    grey = np.full((32, *SHAPE), 90, np.float32)
    np.testing.assert_allclose(changed(STRENGTHS["affine"], draws, grey), grey, atol=1e-3)
    none = dict.fromkeys(("covered", "gamma", "contrast", "brightness", "light", "noise"), 0.0)
    far, near = (
        np.abs(changed(replace(STRENGTHS[name], **none), draws) - gradient(32)).mean()
        for name in ("affine", "strong")
    )
    assert far > near
    turned = STRENGTHS["affine"]
    assert np.degrees(turned.rotation) == pytest.approx(15, abs=0.1)
    assert np.exp(turned.zoom) == pytest.approx(1.2, abs=1e-3)
