"""A teacher, asked beforehand: its answers are those about what the student is shown."""

import numpy as np
import pytest

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.ml.formats import model_folder
from components.ml.runtime import tf
from components.ml.settings import Augmentation, TeacherViews
from components.ml.training.examples import DRAWS, IMAGES, SHARES, examples_of
from components.ml.training.folder_outputs import outputs_of_folder
from components.ml.training.objectives import LABELS, PIXELS, TEACHER
from components.ml.training.teacher import ask_teacher, with_mixup
from tests.components.ml.training.test_loop import OPTIMIZATION


def asked(data, teacher, teacher_views, augmentation):
    info = ModelInfo.read(teacher)
    examples = examples_of(Dataset.open(data))
    outputs = outputs_of_folder(teacher, info)
    return ask_teacher(examples, outputs, info, teacher_views, augmentation, seed=0)


def test_a_teachers_probabilities_are_taken_as_their_logarithms(pattern_data, pattern_classifier):
    known = asked(
        pattern_data, pattern_classifier, TeacherViews(views=3), Augmentation(augment="none")
    )
    # Nothing changes: one view is all there is.
    assert known.teacher.outputs[TEACHER].shape == (1, 160, 4)
    shares = model_folder.inference(pattern_classifier)(
        model_folder.normalize(known.images_nhwc, ModelInfo.read(pattern_classifier))
    )
    np.testing.assert_allclose(
        np.exp(known.teacher.outputs[TEACHER][0]), shares, atol=2e-4
    )  # 16 bits


@pytest.mark.parametrize("fixture", ["pattern_classifier", "pattern_verifier"])
def test_the_teacher_is_asked_about_the_mixed_images_that_are_shown(
    fixture, pattern_pairs, request
):
    """What the training makes of a batch, laid before the teacher, gets the answers in the batch."""
    teacher = request.getfixturevalue(fixture)
    data = (
        pattern_pairs if fixture == "pattern_verifier" else request.getfixturevalue("pattern_data")
    )
    known = asked(
        data, teacher, TeacherViews(views=3, mixup=5), Augmentation(augment="none", flip=True)
    )
    (batch, *_) = known.epoch(1, OPTIMIZATION, flip=True, seed=0)
    labelled = len(batch[LABELS])
    assert [len(batch[name]) for name in (IMAGES, DRAWS, SHARES, TEACHER)] == [
        labelled + 10, labelled + 10, 5, labelled + 5,
    ]  # fmt: skip
    assert ((batch[SHARES] > 0.25) & (batch[SHARES] < 0.75)).all()
    shown = batch[IMAGES].astype(np.float32)
    mirrored = batch[DRAWS][:, 0] == 1
    shown[mirrored] = shown[mirrored][:, :, ::-1]
    first, second = shown[labelled : labelled + 5], shown[labelled + 5 :]
    share = batch[SHARES][:, None, None, None]
    seen = np.concatenate([shown[:labelled], share * first + (1 - share) * second])
    prepared = with_mixup({PIXELS: tf.constant(shown), SHARES: batch[SHARES]})[PIXELS]
    np.testing.assert_allclose(prepared, seen, rtol=1e-6)
    info = ModelInfo.read(teacher)
    answers = model_folder.inference(teacher)(model_folder.normalize(seen, info))
    if fixture == "pattern_classifier":
        answers = np.log(answers)
    np.testing.assert_allclose(batch[TEACHER], answers, rtol=1e-3, atol=1e-3)  # 16 bits


def test_a_batch_without_mixed_images_stays_as_it_is():
    batch = {PIXELS: np.zeros((2, 8, 8, 1))}
    assert with_mixup(batch) is batch
