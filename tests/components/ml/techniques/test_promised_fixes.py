"""Fixes of errors of models, applied: the code that an error gives runs, and the file is taken."""

import pickle
import re
import zipfile

import pytest

from components.artifacts.dataset import write_dataset
from components.artifacts.model import ModelInfo
from components.ml.runtime import tf_keras
from tests.data.patterns import NAMES, SIDE, images_of

layers = tf_keras.layers


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory):
    pixels, labels = images_of(80, seed=0)
    rows = labels < 2
    splits = dict.fromkeys(("train", "validation", "selection"), (pixels[rows], labels[rows]))
    path = tmp_path_factory.mktemp("two") / "data"
    return write_dataset(path, splits, task="classification", classes=NAMES[:2]).path


def ending_in(*last, side=SIDE):
    return tf_keras.Sequential([layers.Input((side, side, 1)), *last])


def saved(model, tmp_path, name="mine.keras"):
    model.save(tmp_path / name)
    return tmp_path / name


def code(text, begin):
    """The expression in a fix that begins so, up to the bracket that closes it."""
    start = text.index(begin)
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0 and text[place] == ")" and not text.startswith(".", place + 1):
            return text[start : place + 1]
    raise AssertionError(text)


def test_the_sigmoid_that_one_number_needs_is_taken(
    take, refused, two_classes, tmp_path, monkeypatch
):
    model = ending_in(layers.Flatten(), layers.Dense(1))
    text = refused(saved(model, tmp_path), two_classes)
    monkeypatch.chdir(tmp_path)
    eval(code(text, "keras.Model("), {"keras": tf_keras, "model": model})
    take(tmp_path / "model.keras", two_classes)


@pytest.mark.parametrize("layer", ["GlobalAveragePooling2D", "Flatten"])
def test_the_layer_that_makes_one_row_of_numbers_is_taken(
    layer, take, refused, pattern_pairs, tmp_path
):
    model = ending_in(layers.Conv2D(4, 3))
    text = refused(saved(model, tmp_path), pattern_pairs)
    assert layer in re.findall(r"[A-Z]\w+2D|Flatten", text.partition("fix:")[2])
    model.add(getattr(layers, layer)())
    take(saved(model, tmp_path, "fixed.keras"), pattern_pairs)


def test_a_classifier_without_its_last_layer_is_an_embedding(
    take, refused, pattern_pairs, pattern_data, tmp_path
):
    model = ending_in(layers.Flatten(), layers.Dense(8), layers.Dense(4, "softmax"))
    path = saved(model, tmp_path)
    text = refused(path, pattern_pairs)
    assert "save the model without its last layer, or set task: classification" in text
    headless = tf_keras.Model(model.inputs, model.layers[-2].output)
    take(saved(headless, tmp_path, "fixed.keras"), pattern_pairs)
    take(path, pattern_data)  # the same for classification


def test_channels_that_come_first_are_turned_by_the_code_that_is_given(
    take, refused, pattern_data, tmp_path, monkeypatch
):
    image = layers.Input((1, SIDE, SIDE))
    model = tf_keras.Model(image, layers.Dense(len(NAMES))(layers.Flatten()(image)))
    text = refused(saved(model, tmp_path), pattern_data)
    monkeypatch.chdir(tmp_path)
    eval(code(text, "keras.Sequential("), {"keras": tf_keras, "model": model})
    take(tmp_path / "model.keras", pattern_data)


def test_channels_that_no_image_has_lead_to_answers(refused, pattern_data, tmp_path):
    model = tf_keras.Sequential([layers.Input((SIDE, SIDE, 5)), layers.Flatten(), layers.Dense(3)])
    assert "teacher: {outputs: ./answers.npz}" in refused(saved(model, tmp_path), pattern_data)


def test_the_size_that_a_model_needs_is_the_one_that_is_given(take, refused, tmp_path):
    path = saved(ending_in(layers.Flatten(), layers.Dense(4), side=2 * SIDE), tmp_path)
    pixels, labels = images_of(80, seed=0)

    def data(name, images):
        splits = dict.fromkeys(("train", "validation", "selection"), (images, labels))
        return write_dataset(tmp_path / name, splits, task="classification", classes=NAMES).path

    text = refused(path, data("small", pixels))
    size = re.search(r"set image: \{height: (\d+), width: (\d+), channels: (\d+)\}", text)
    shape = tuple(map(int, size.groups()))
    larger = pixels.repeat(shape[0] // SIDE, axis=1).repeat(shape[1] // SIDE, axis=2)
    assert larger.shape[1:] == shape
    take(path, data("large", larger))
    assert "or resize: true under teacher" in text
    folder, report = take(path, data("as they are", pixels), resize=True)
    assert ModelInfo.read(folder).image_shape == (SIDE, SIDE, 1)
    assert 0 <= report["validation"] <= 1


def test_shared_layers_are_saved_by_the_code_that_is_given(
    take, refused, pattern_pairs, tmp_path, monkeypatch
):
    one, two = (tf_keras.Input((SIDE, SIDE, 1)) for _ in range(2))
    flat, shared = layers.Flatten(), layers.Dense(4)
    apart = layers.Subtract()([shared(flat(one)), shared(flat(two))])
    model = tf_keras.Model([one, two], apart)
    text = refused(saved(model, tmp_path), pattern_pairs)
    monkeypatch.chdir(tmp_path)
    eval(code(text, "tf_keras.Model"), {"tf_keras": tf_keras, "model": model})
    folder, _ = take(tmp_path / "tower.keras", pattern_pairs)
    assert folder.is_dir()


def test_a_model_that_was_never_built_is_taken_once_it_is(take, refused, pattern_data, tmp_path):
    def made():
        return tf_keras.Sequential([layers.Flatten(), layers.Dense(4)])

    text = refused(saved(made(), tmp_path), pattern_data)
    names = {"height": SIDE, "width": SIDE, "channels": 1, "model": (model := made())}
    eval(code(text, "model.build"), names)
    take(saved(model, tmp_path, "fixed.keras"), pattern_data)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-2000])


def without_its_architecture(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "weights to come")


def of_weights_alone(path):
    ending_in(layers.Flatten(), layers.Dense(4)).save_weights(path)


FILES = {
    "a pickle": ("mine.keras", lambda path: path.write_bytes(pickle.dumps({"weights": [1]}))),
    "text": ("mine.keras", lambda path: path.write_text("see the cloud")),
    "truncated": ("mine.keras", truncated),
    "truncated HDF5": ("mine.h5", truncated),
    "another archive": ("mine.keras", without_its_architecture),
    "weights alone": ("mine.h5", of_weights_alone),
    "converted": ("mine.keras", lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(99))),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_model_is_saved_again(kind, take, refused, pattern_data, tmp_path):
    """Every fix leads to a file that the model it came from is saved into, whole."""
    name, spoil = FILES[kind]
    model = ending_in(layers.Flatten(), layers.Dense(4))
    path = saved(model, tmp_path, name)
    spoil(path)
    fix = refused(path, pattern_data).partition("fix: ")[2]
    assert re.search(
        r"save the (whole )?model|write or download (it|the file) again|give the model it came", fix
    ), fix
    for suffix in re.findall(r"\.(keras|h5)\b", fix) or [name.rpartition(".")[2]]:
        take(saved(model, tmp_path, f"fixed.{suffix}"), pattern_data)
