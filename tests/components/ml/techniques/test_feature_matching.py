"""Hints and attention: what is inside the teacher is learned, each by its own weight."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.ml.formats import model_folder
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.layers import layers_of
from components.ml.lite.writing import to_lite
from components.ml.networks.building import build
from components.ml.runtime import tf_keras
from components.ml.techniques import feature_matching
from components.ml.techniques.distillation import student_info
from components.ml.techniques.feature_matching import Components
from components.ml.techniques.feature_pairing import pairing_of
from components.ml.training import feature_losses
from components.ml.training.features import with_features
from components.ml.training.objectives import FEATURES
from tests.components.ml.techniques.test_distillation import SETTINGS, distilled, selection
from tests.components.ml.training.test_loop import NETWORK, OPTIMIZATION

ALONE = replace(SETTINGS, label_weight=0.0, embedding_weight=0.0, relational_weight=0.0)
HINTS, ATTENTION = replace(ALONE, hint_weight=1.0), replace(ALONE, attention_weight=10.0)
LONG = replace(OPTIMIZATION, epochs=25, learning_rate=0.02, keep="last")
LAYERS = ("first_relu", "block3_relu")
"""The last at 4 x 4, the one resolution that both have."""


def features(model, layer, data):
    network, info = model_folder.load(model)
    images = model_folder.normalize(selection(data)[0], info)
    return with_features(network, [layer])(images, training=False)[FEATURES][layer].numpy()


def features_of_file(model, layer, data):
    """What the same layer answers in the file of a model, one image after the other."""
    info = ModelInfo.read(model)
    content = to_lite(model, info, None)
    (found,) = (one for one in layers_of(LiteFile.parse(content)) if layer in one.aliases)
    run = Interpreter(model_content=content, experimental_preserve_all_tensors=True)
    run.allocate_tensors()
    (place,) = (x["index"] for x in run.get_tensor_details() if x["name"] == found.outputs[-1])
    answers = []
    for image in model_folder.normalize(selection(data)[0], info):
        run.set_tensor(run.get_input_details()[0]["index"], image[None])
        run.invoke()
        answers.append(run.get_tensor(place))
    return np.concatenate(answers)


def of_both(student, teacher, data):
    """The teacher's features, and those in the file of a student."""
    return features(teacher, LAYERS[0], data), features_of_file(student, LAYERS[1], data)


def attention_distance(student, teacher, data):
    """Between the maps of both on images that nobody was trained on."""
    wanted, got = (
        feature_losses.attention_map(one).numpy() for one in of_both(student, teacher, data)
    )
    return ((wanted - got) ** 2).sum(1).mean()


def hint_distance(student, teacher, data):
    """The part of the teacher's features that no linear map of the student's explains."""
    wanted, got = (one.reshape(-1, one.shape[-1]) for one in of_both(student, teacher, data))
    assert (wanted.shape[-1], got.shape[-1]) == (12, 16)
    got = np.concatenate([got, np.ones((len(got), 1))], axis=1)
    left = wanted - got @ np.linalg.lstsq(got, wanted, rcond=None)[0]
    return (left**2).sum() / ((wanted - wanted.mean(0)) ** 2).sum()


@pytest.fixture(scope="module")
def students(pattern_pairs, pattern_verifier, tmp_path_factory):
    """One that learned hints alone, and one that learned attention alone."""
    return {
        name: distilled(
            pattern_pairs, pattern_verifier, tmp_path_factory.mktemp(name), LONG, settings
        )
        for name, settings in (("hints", HINTS), ("attention", ATTENTION))
    }


def test_hints_bring_the_features_together(students, pattern_pairs, pattern_verifier):
    hinted, other = students["hints"][0], students["attention"][0]
    assert hint_distance(hinted, pattern_verifier, pattern_pairs) < 0.7 * hint_distance(
        other, pattern_verifier, pattern_pairs
    )


def test_attention_brings_the_maps_together(students, pattern_pairs, pattern_verifier):
    attentive, other = students["attention"][0], students["hints"][0]
    assert attention_distance(attentive, pattern_verifier, pattern_pairs) < 0.5 * (
        attention_distance(other, pattern_verifier, pattern_pairs)
    )


def test_without_its_weight_neither_comes_closer(
    students, pattern_pairs, pattern_verifier, tmp_path, monkeypatch
):
    """What the two tests above hold is due to the terms: with their weights ignored both fail."""
    monkeypatch.setattr(
        feature_matching.FeatureMatching, "__call__", lambda *_: feature_matching.tf.constant(0.0)
    )
    ignored, report = distilled(pattern_pairs, pattern_verifier, tmp_path, LONG, HINTS)
    assert {epoch["loss"] for epoch in report["epochs"]} == {0.0}
    hinted, attentive = students["hints"][0], students["attention"][0]
    given = (pattern_verifier, pattern_pairs)
    assert hint_distance(ignored, *given) > 1.4 * hint_distance(hinted, *given)
    assert attention_distance(ignored, *given) > 2 * attention_distance(attentive, *given)


def test_the_report_says_what_was_matched(students):
    hints, attention = (students[name][1]["teacher"] for name in ("hints", "attention"))
    pair = {"teacher": LAYERS[0], "student": LAYERS[1], "resolution": [4, 4]}
    assert hints["pairing"] == {"hint": pair, "attention": []}
    assert attention["pairing"] == {"hint": None, "attention": [pair]}
    assert hints["components_of_hints"] == 12  # of so many channels
    assert hints["variance_in_components"] == pytest.approx(1)
    assert "components_of_hints" not in attention


def networks(data, teacher):
    info = student_info(teacher, Dataset.open(data), None)
    return model_folder.load(teacher)[0], build(NETWORK, info)


def test_layers_can_be_named_and_a_name_that_is_none_is_said(pattern_pairs, pattern_verifier):
    teacher, student = networks(pattern_pairs, pattern_verifier)
    named = replace(HINTS, attention_weight=1.0, hint_layers=["second_norm", "block2_conv"])
    pairing = pairing_of(teacher, student, named)
    assert pairing.hint == pairing.attention[0]
    assert (pairing.teacher_layers, pairing.student_layers) == (("second_norm",), ("block2_conv",))
    for names, message, fix in (
        (["secnd_norm", "block2_conv"], "the teacher has no layer 'secnd_norm'", "second_norm"),
        (["second_norm", "pool"], "the student has no layer 'pool'", "block"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            pairing_of(teacher, student, replace(HINTS, hint_layers=names))
        assert fix in caught.value.fix


def test_networks_without_a_common_resolution_are_said_and_the_fix_works(
    pattern_pairs, pattern_verifier
):
    _, student = networks(pattern_pairs, pattern_verifier)
    layers = tf_keras.layers
    image = layers.Input((8, 8, 1))
    flow = layers.Conv2D(3, 6, name="three")(image)
    odd = tf_keras.Model(image, layers.Flatten()(flow))
    with pytest.raises(UserError, match="no resolution in common: 3 x 3 and 8 x 8") as caught:
        pairing_of(odd, student, HINTS)
    names = caught.value.fix.partition("hint_layers: [")[2].rstrip("]").split(", ")
    pairing = pairing_of(odd, student, replace(HINTS, hint_layers=names))
    assert pairing.hint.resolution == (4, 4)


def test_maps_of_another_resolution_are_resized(pattern_pairs, pattern_verifier, tmp_path):
    settings = replace(HINTS, attention_weight=1.0, hint_layers=["second_relu", "block3_relu"])
    short = replace(OPTIMIZATION, epochs=2)
    _, report = distilled(pattern_pairs, pattern_verifier, tmp_path, short, settings)
    assert report["teacher"]["pairing"]["hint"]["resolution"] == [4, 4]
    assert report["epochs"][-1]["loss"] < report["epochs"][0]["loss"]


def test_a_teacher_that_can_only_be_run_has_no_inside_and_the_fix_works(
    pattern_pairs, pattern_verifier, tmp_path
):
    program = tmp_path / "program"
    model, info = model_folder.load(pattern_verifier)
    model_folder.export(program, lambda image: model(image, training=False), model.weights, info)
    replace(info, trainable=False).write(program)
    short = replace(OPTIMIZATION, epochs=1)
    for settings, name in ((HINTS, "hint_weight"), (ATTENTION, "attention_weight")):
        with pytest.raises(UserError, match=f"{name}: the teacher in .* is a program") as caught:
            distilled(pattern_pairs, program, tmp_path, short, replace(settings, label_weight=1.0))
        assert "set hint_weight: 0 and attention_weight: 0" in caught.value.fix
        plain = replace(settings, label_weight=1.0, hint_weight=0, attention_weight=0)
        distilled(pattern_pairs, program, tmp_path / name, short, plain)


def test_principal_components_hold_the_most_variance_on_a_common_scale():
    random = np.random.default_rng(0)
    strong = random.normal(size=(500, 16)) * np.linspace(5, 1, 16)
    features = strong @ random.normal(size=(16, 40)) + 0.01 * random.normal(size=(500, 40)) + 7
    found = Components.of(features.astype(np.float32))
    assert found.basis_cp.shape == (40, 16)
    assert 0.999 < found.share < 1
    kept = (features - found.mean_c) @ found.basis_cp
    assert (kept**2).sum(1).mean() == pytest.approx(1, rel=1e-3)
    assert np.cov(kept.T) - np.diag(np.cov(kept.T).diagonal()) == pytest.approx(0, abs=1e-4)
    again = Components.of(features.astype(np.float32))
    np.testing.assert_array_equal(found.basis_cp, again.basis_cp)
    assert Components.of(np.ones((9, 3), np.float32)).share == 1.0
