"""The linear baseline: as good as a linear map of the pixels can be, and no better than its labels."""

import json
from dataclasses import replace

import numpy as np
import pytest

from components.artifacts.dataset import Dataset, write_dataset
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.convert import convert
from components.devices.isolated import answers_of
from components.distill import distill
from components.ml.formats import model_folder
from components.ml.lite.flatbuffer import LiteFile
from components.ml.settings import Augmentation, Network, Optimization
from components.ml.techniques import linear, linear_classifier
from components.ml.training.folder_outputs import outputs_of_folder
from components.statistics.metrics import PRIMARY, sample_of
from components.train import train
from tests.components.flat import quantize
from tests.data.patterns import NAMES, images_of

NETWORK = Network(backbone="linear")
PLAIN = Augmentation(augment="none")


def fitted(data, folder, **given):
    given = {"network": NETWORK, "augmentation": PLAIN, **given}
    train(data, None, folder / "model", folder / "report", **given)
    report = json.loads((folder / "report" / "training.json").read_bytes())
    return ModelInfo.read(folder / "model"), report


def measured(answers, data, split="selection"):
    opened = Dataset.open(data)
    sample = sample_of(opened.info.task, answers, opened.labels(split), resample="image")
    values = sample.measure(np.ones((1, sample.units), np.int32))
    return float(values[PRIMARY[opened.info.task]][0])


@pytest.mark.parametrize("form", ["pattern_pairs", "pattern_data"])
def test_what_is_fitted_in_one_go_is_a_model_like_any_other(request, form, tmp_path):
    data = request.getfixturevalue(form)
    info, report = fitted(data, tmp_path)
    compared = form == "pattern_pairs"
    assert info.output.size == (3 if compared else 4), "identities less one, or the classes"
    assert info.parameters == (64 + 1) * info.output.size
    assert info.steps == ({"component": "train", "backbone": "linear"},)
    by = report["fit"].pop("by")
    assert by.startswith("discriminants" if compared else "softmax regression, penalty 0.")
    assert report["fit"] == {"rows": 160, "numbers_of_an_image": 64, "outputs": info.output.size}
    quantize(tmp_path / "model", data, tmp_path / "int8", tmp_path / "plan", scheme="int8")
    convert(tmp_path / "int8", tmp_path / "lite", tmp_path / "converted")
    file = LiteFile.parse((tmp_path / "lite" / MODEL_FILE).read_bytes())
    assert file.operators.get("FULLY_CONNECTED") == 1
    assert file.float_operators == ()
    images = np.asarray(Dataset.open(data).images("selection"))
    ran = answers_of(tmp_path / "lite", images, threads=1)
    assert measured(ran.outputs_nd, data) > 0.95
    asked = outputs_of_folder(tmp_path / "model", info)
    assert report["kept"]["validation"] == pytest.approx(
        measured(asked(np.asarray(Dataset.open(data).images("validation"))), data, "validation")
    )


@pytest.mark.parametrize("task", ["verification", "classification"])
def test_labels_that_say_nothing_are_not_learned(task, tmp_path):
    """The check of the test above can fail: the images stay, and whose they are is shuffled."""
    images, labels = images_of(160, seed=0)
    random = np.random.default_rng(0)
    splits = {
        "train": (images, random.permutation(labels)),
        "validation": images_of(40, 1), "selection": images_of(40, 2),
    }  # fmt: skip
    data = write_dataset(tmp_path / "data", splits, task=task, classes=NAMES).path
    info, _ = fitted(data, tmp_path)
    answers = outputs_of_folder(tmp_path / "model", info)
    found = measured(answers(np.asarray(Dataset.open(data).images("selection"))), data)
    assert found < (0.85 if task == "verification" else 0.5)


def test_the_same_seed_gives_the_same_bytes_and_copies_follow_the_augmentation(
    pattern_pairs, tmp_path
):
    for name in ("one", "other"):
        _, report = fitted(pattern_pairs, tmp_path / name, augmentation=Augmentation(flip=True))
    assert report["fit"]["rows"] == 7 * 160
    assert tree_of(tmp_path / "one").digest == tree_of(tmp_path / "other").digest


def test_a_large_dataset_is_sampled_and_large_images_are_averaged(tmp_path, monkeypatch):
    monkeypatch.setattr(linear, "_IMAGES", 100)
    images, labels = images_of(160, seed=0)
    large = images.repeat(9, 1).repeat(9, 2)
    splits = {"train": (large, labels), "validation": (large[:40], labels[:40])}
    data = write_dataset(tmp_path / "data", splits, task="verification", classes=NAMES).path
    info, report = fitted(data, tmp_path)
    assert report["fit"]["rows"] == 100
    assert report["fit"]["numbers_of_an_image"] == 24 * 24
    assert report["kept"]["validation"] > 0.95
    network, _ = model_folder.load(tmp_path / "model")
    assert network.get_layer("average").pool_size == (3, 3)
    fitted(data, tmp_path / "own", network=replace(NETWORK, resolution=8))
    assert info.image_shape == (72, 72, 1)


def test_an_embedding_has_as_many_numbers_as_were_asked_for(pattern_pairs, tmp_path):
    info, _ = fitted(pattern_pairs, tmp_path, embedding=2)
    assert info.output.size == 2


def test_weights_to_begin_from_are_refused(pattern_pairs, tmp_path):
    with pytest.raises(UserError, match="begins from none") as caught:
        train(pattern_pairs, tmp_path, tmp_path / "m", tmp_path / "r", network=NETWORK)
    assert "leave weights away" in caught.value.fix
    fitted(pattern_pairs, tmp_path)


def test_one_identity_is_nothing_to_tell_apart_and_the_baseline_can_be_left_out(tmp_path):
    images, _ = images_of(8, seed=0)
    labels = np.zeros(len(images), np.int64)
    splits = dict.fromkeys(("train", "validation", "selection"), (images, labels))
    data = write_dataset(tmp_path / "data", splits, task="verification", classes=NAMES).path
    with pytest.raises(UserError, match="nothing to tell apart") as caught:
        fitted(data, tmp_path)
    assert "baseline: none" in caught.value.fix


def test_softmax_regression_is_at_the_minimum_of_its_loss():
    """Held against the slope of the loss in the pixels themselves, which nobody computed."""
    images, labels = images_of(80, seed=0)
    pixels = images.reshape(80, -1).astype(np.float64)
    onehot = np.eye(4)[labels]
    for found in linear_classifier.fitted(pixels, labels, 4):
        logits = pixels @ found.matrix_pk.numpy() + found.offset_k.numpy()
        shares = np.exp(logits - logits.max(1, keepdims=True))
        error = shares / shares.sum(1, keepdims=True) - onehot
        # The penalty leaves offsets alone: every class is given as often as it occurs.
        np.testing.assert_allclose(error.mean(0), 0, atol=1e-3)
    assert (logits.argmax(1) == labels).all()


@pytest.mark.parametrize("student", [Network(backbone="conv", alpha=0.25), NETWORK])
def test_a_linear_map_teaches_and_learns(pattern_pairs, tmp_path, student):
    """As a teacher, and as a student of one that is trained step by step like any other."""
    fitted(pattern_pairs, tmp_path)
    optimization = Optimization(epochs=2, learning_rate=0.01, identities_per_batch=4)
    distill(
        pattern_pairs, tmp_path / "model", tmp_path / "student", tmp_path / "learned",
        network=student, optimization=optimization,
    )  # fmt: skip
    info = ModelInfo.read(tmp_path / "student")
    assert [step["component"] for step in info.steps] == ["train", "distill"]
    assert (info.steps[1]["backbone"], info.output.size) == (student.backbone, 3)
    images = np.asarray(Dataset.open(pattern_pairs).images("selection"))
    assert measured(outputs_of_folder(tmp_path / "student", info)(images), pattern_pairs) > 0.9
