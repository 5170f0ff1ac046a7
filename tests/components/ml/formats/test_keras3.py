"""Files of Keras 3: what is read answers as there, what cannot be is refused by name."""

import copy
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from components.artifacts.dataset import write_dataset
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.import_model import import_model
from components.ml.formats import keras3_graph, keras_files, model_folder
from components.ml.formats.keras3_layers import NotMapped
from components.ml.networks.augmentation_layers import AUGMENTATION
from components.ml.runtime import tf_keras
from pipelines.sources.snapshot import snapshot_model, stage
from tests.data import patterns
from tests.data.keras3_names import LARGE, MODELS, RANDOM, SIAMESE, SIDE

WRITER = Path(__file__).parents[3] / "data" / "keras3_writer.py"
HALF_PRECISION = {"half": 1e-2}


def written_by(python: str, folder: Path, *names: str) -> str:
    """Let Keras 3 write models; returns what it complains of."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS_"))}
    command = [python, str(WRITER), str(folder), *names]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras3")
    written_by(sys.executable, folder)
    return folder


def read(path):
    return keras_files.read(path, path.name, ".keras", trusted=False)


def distance(model, path):
    """Largest difference of an answer, as a part of the largest answer."""
    written = np.load(path.with_suffix(".npz"))
    answers = model(written["images"], training=False).numpy()
    return abs(answers - written["answers"]).max() / abs(written["answers"]).max()


@pytest.mark.parametrize("name", MODELS)
def test_a_file_answers_as_in_its_own_framework(name, files):
    path = files / f"{name}.keras"
    model = read(path)
    assert distance(model, path) <= HALF_PRECISION.get(name, 1e-4)
    assert {weight.dtype.name for weight in model.weights} <= {"float32"}


def test_every_random_layer_was_tried():
    elsewhere = {"SpatialDropout1D"}  # in "operations": it takes no images
    of_keras_2 = {"RandomHeight", "RandomWidth"}
    assert set(RANDOM) == AUGMENTATION - elsewhere - of_keras_2


def test_what_was_read_is_made_of_plain_layers(files):
    augmented = read(files / "augmented.keras")
    assert not {type(layer).__name__ for layer in augmented.layers} & AUGMENTATION
    assert augmented.get_layer("conv").kernel.shape == (3, 3, 3, 3)
    nested = read(files / "nested.keras")
    assert isinstance(nested.get_layer("inner"), tf_keras.Model)
    every = read(files / "every_layer.keras")
    assert next(layer for layer in every.layers if layer.name == "conv2d").kernel_regularizer
    for way in ("normalize", "unit"):
        last = read(files / f"{way}.keras").layers[-1]
        assert isinstance(last, tf_keras.layers.UnitNormalization)


def imported(path, folder, *, trusted=False, name="model"):
    """Import a file into a Model; returns its folder."""
    data = dataset(folder / f"{name}-data")
    stage(snapshot_model(str(path)), folder / f"{name}-source")
    import_model(
        folder / f"{name}-source", data, None, folder / name, folder / f"{name}-report",
        trusted=trusted, mean=0.0, scale=1.0,
    )  # fmt: skip
    return folder / name


def dataset(path):
    """Twelve images that say nothing, for importing."""
    images = np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE, 3), dtype=np.uint8)
    labels = (np.arange(12) % 4).astype(np.int32)
    splits = dict.fromkeys(("train", "validation", "selection"), (images, labels))
    return write_dataset(path, splits, task="classification", classes=patterns.NAMES).path


@pytest.mark.parametrize("name", ["arithmetic", "nested"])
def test_a_model_can_be_trained_further(name, files, tmp_path):
    model = imported(files / f"{name}.keras", tmp_path)
    rebuilt, info = model_folder.load(model)
    assert info.trainable
    assert not any(isinstance(layer, tf_keras.Model) for layer in rebuilt.layers)
    assert distance(rebuilt, files / f"{name}.keras") <= 1e-4
    written = np.load(files / f"{name}.npz")
    answers = model_folder.inference(model)(written["images"])
    assert abs(answers - written["answers"]).max() <= 1e-4 * abs(written["answers"]).max()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unmapped", "'groups' is not on the list"),
        ("with_code", "'halve' is not on the list"),
        ("code_as_activation", "'own' carries the code of its activation"),
    ],
)
def test_what_has_no_counterpart_is_refused_and_the_fix_works(name, said, files, tmp_path):
    with pytest.raises(UserError, match=said) as caught:
        imported(files / f"{name}.keras", tmp_path / "refused")
    assert "trusted: true" in caught.value.fix
    assert "model.export('FOLDER')" in caught.value.fix
    written = np.load(files / f"{name}.npz")
    ways = [f"{name}.keras", name] if "if you made this file" in caught.value.fix else [name]
    for way in ways:
        model = imported(files / way, tmp_path, trusted=True, name=f"taken-{way}")
        assert not ModelInfo.read(model).trainable
        answers = model_folder.inference(model)(written["images"])
        np.testing.assert_allclose(answers, written["answers"], atol=1e-5)


def first_refusal(path, **given):
    with pytest.raises(UserError) as caught:
        keras_files.read(path, path.name, ".keras", trusted=False, **given)
    return caught.value


@pytest.mark.parametrize("name", SIAMESE)
def test_a_siamese_file_leads_to_its_tower_whatever_compares_there(name, files):
    path = files / f"{name}.keras"
    said = first_refusal(path)
    assert "has 2 inputs and 1 output" in said.what
    assert said.fix == "write teacher: {model: ..., tower: embedding}"
    tower = keras_files.read(path, path.name, ".keras", trusted=False, tower="embedding")
    assert distance(tower, path) <= 1e-4
    assert "did you mean 'embedding'?" in first_refusal(path, tower="embeding").fix


def test_a_tower_behind_other_layers_is_not_taken_without_them(files):
    said = first_refusal(files / "siamese_behind_scaling.keras", tower="embedding")
    assert "is not given the image but what comes of twice" in said.what
    assert "dropout" not in said.what
    assert 'model.get_layer("embedding").save("tower.keras")' in said.fix


@pytest.mark.parametrize("name", ["shared_layers", "shared_inside", "two_outputs"])
def test_a_part_that_has_to_be_saved_by_itself_is_saved_by_the_fix(
    name, files, tmp_path, monkeypatch
):
    path = files / f"{name}.keras"
    fix = first_refusal(path).fix
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    import keras  # Keras 3, as above

    model = keras.models.load_model(path, compile=False)
    eval(fix.partition(": ")[2].partition(", or ")[0], {"keras": keras, "model": model})
    (saved,) = tmp_path.iterdir()
    assert len(read(saved).outputs) == 1
    if name == "two_outputs":
        assert distance(read(saved), path) <= 1e-4


def test_a_layer_that_two_models_share_is_stored_once_and_export_helps(files, tmp_path):
    said = first_refusal(files / "shared_by_models.keras")
    assert "'shared': the file holds no weight" in said.what
    assert "model.export('FOLDER')" in said.fix
    model = imported(files / "shared_by_models", tmp_path, trusted=True)
    written = np.load(files / "shared_by_models.npz")
    answers = model_folder.inference(model)(written["images"])
    np.testing.assert_allclose(answers, written["answers"], atol=1e-4)


def test_an_h5_file_of_keras_3_leads_to_its_own_format(files, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"is an \.h5 file of Keras 3") as caught:
        keras_files.read(files / "unit.h5", "unit.h5", ".h5", trusted=False)
    shutil.copyfile(files / "unit.h5", tmp_path / "unit.h5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    import keras  # Keras 3, which writes files here and reads none for slimline

    eval(caught.value.fix.partition(": ")[2], {"keras": keras})
    assert distance(read(tmp_path / "model.keras"), files / "unit.keras") <= 1e-4


def test_a_model_that_was_saved_as_a_folder_is_read_once_it_is_packed(files, tmp_path):
    folder = tmp_path / "folder"
    (folder / "assets").mkdir(parents=True)
    for name, content in parts_of(files / "unit.keras").items():
        (folder / name).write_bytes(content)
    # As the refusal of the folder says: pipelines/sources/other_forms.py.
    zipfile.main(["-c", str(tmp_path / "packed.keras"), *map(str, folder.iterdir())])
    assert distance(read(tmp_path / "packed.keras"), files / "unit.keras") <= 1e-4
    h5py.File(folder / "model.weights.h5", "w").close()  # where Keras 3.15 wrote over a folder
    zipfile.main(["-c", str(tmp_path / "empty.keras"), *map(str, folder.iterdir())])
    with pytest.raises(UserError, match=r"empty\.keras holds no weights at all") as caught:
        read(tmp_path / "empty.keras")
    assert "to a name that is not taken" in caught.value.fix


def test_a_model_that_was_never_built_is_built_as_its_error_says(files):
    with pytest.raises(UserError, match="was saved before it was built") as caught:
        keras_files.read(files / "unbuilt.keras", "unbuilt.keras", ".keras", trusted=True)
    # What the writer called before it saved again.
    assert "model.build((None, height, width, channels))" in caught.value.fix
    assert not isinstance(caught.value, NotMapped), "executing it would be of no use"
    assert distance(read(files / "built.keras"), files / "built.keras") <= 1e-4


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed(path, target, change):
    """Write a copy of a file with another configuration."""
    parts = parts_of(path)
    document = json.loads(parts["config.json"])
    change({layer["config"]["name"]: layer for layer in document["config"]["layers"]})
    parts["config.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target


def tensor(name):
    config = {"shape": [None, 4], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def into_circle(layers):
    layers["dense"]["inbound_nodes"][0]["args"] = [tensor("unit_normalization")]


CHANGES = {
    "3,000,000,000": lambda layers: layers["dense"]["config"].update(units=3_000_000_000),
    "no weights of": lambda layers: layers["dense"]["config"].update(use_bias=False),
    "a circle or to nothing": into_circle,
    "is defined in 'os'": lambda layers: layers["dense"].update(module="os"),
    "defined in 'keras.layers'": lambda layers: layers["dense"].update(registered_name="my>Dense"),
    "not on the list": lambda layers: layers["dense"].update(class_name="TFSMLayer"),
    "has gate: 3": lambda layers: layers["dense"]["config"].update(gate=3),
    "precision": lambda layers: layers["dense"]["config"].update(dtype="int8_from_float32"),
    "activation 'os.system'": lambda layers: layers["dense"]["config"].update(
        activation={"module": "builtins", "class_name": "function", "config": "os.system"}
    ),
    "channels first": lambda layers: layers["flatten"]["config"].update(
        data_format="channels_first"
    ),
    "called with more": lambda layers: layers["dense"]["inbound_nodes"][0]["args"].append(3),
    "fit together": lambda layers: layers["unit_normalization"]["config"].update(axis=7),
    "does not say how": lambda layers: layers["dense"].update(inbound_nodes=[[["a"]]]),
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_does_not_fit_is_one_message_and_takes_no_memory(said, files, tmp_path):
    names = {
        layer["class_name"]: layer["config"]["name"] for layer in config_of(files / "unit.keras")
    }

    def change(layers):
        CHANGES[said]({key: layers[names[kind]] for key, kind in {
            "dense": "Dense", "flatten": "Flatten", "unit_normalization": "UnitNormalization",
        }.items()})  # fmt: skip

    path = changed(files / "unit.keras", tmp_path / "mine.keras", change)
    with pytest.raises(UserError, match=r"mine\.keras") as caught:
        read(path)
    assert said.replace("3,000,000,000", "3000000000") in caught.value.what
    assert "Keras 3" in caught.value.fix or "model.export" in caught.value.fix


def config_of(path):
    return json.loads(parts_of(path)["config.json"])["config"]["layers"]


def test_weights_that_say_they_are_larger_than_the_file_are_not_read(files, tmp_path):
    parts = parts_of(files / "unit.keras")
    weights = tmp_path / "model.weights.h5"
    weights.write_bytes(parts["model.weights.h5"])
    with h5py.File(weights, "a") as file:
        place = file["layers/dense/vars"]
        del place["0"]
        place.create_dataset("0", shape=(1 << 28,), dtype="float32", chunks=(1 << 20,))
    path = tmp_path / "mine.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**parts, "model.weights.h5": weights.read_bytes()}.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match="bytes of weights that say they are 1,07"):
        read(path)


class NoWeights:
    """For configurations without a file."""

    def settings(self, *_):
        return {}

    def watch(self, *_):
        pass


def older(document):
    """Tell a configuration as the first versions of Keras 3 did."""
    told = copy.deepcopy(document)
    for layer in told["config"]["layers"]:
        if "dtype" in layer["config"]:
            layer["config"]["dtype"] = "float32"
        if isinstance(layer["config"].get("activation"), str):
            layer["config"]["activation"] = {
                "module": "builtins", "class_name": "function",
                "config": layer["config"]["activation"], "registered_name": "function",
            }  # fmt: skip
        for key in ("renorm", "renorm_clipping", "renorm_momentum", "quantization_config"):
            layer["config"].pop(key, None)
        layer["config"].pop("optional", None)
    for end in ("input_layers", "output_layers"):
        told["config"][end] = [told["config"][end]]
    return told


@pytest.mark.parametrize("name", ["every_layer", "activations", "arithmetic"])
def test_configurations_of_older_versions_make_the_same_model(name, files):
    document = json.loads(parts_of(files / f"{name}.keras")["config.json"])
    new, old = (keras3_graph.build(one, "mine", NoWeights()) for one in (document, older(document)))
    assert [layer.get_config() for layer in new.layers] == [
        layer.get_config() for layer in old.layers
    ]
    assert [weight.shape for weight in new.weights] == [weight.shape for weight in old.weights]


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [("Conv2D", "conv2d"), ("PReLU", "p_re_lu"), ("BatchNormalization", "batch_normalization")],
)
def test_weights_lie_below_the_name_of_the_class(class_name, expected):
    assert keras3_graph.snake_case(class_name) == expected


# Each with a TensorFlow of its time.
VERSIONS = {
    "3.0": ("keras==3.0.*", "tensorflow-cpu==2.16.*"),
    "3.3": ("keras==3.3.*", "tensorflow-cpu==2.16.*"),
    "3.6": ("keras==3.6.*", "tensorflow-cpu==2.18.*"),
    "3.9": ("keras==3.9.*", "tensorflow-cpu==2.19.*"),
    "3.12": ("keras==3.12.*", "tensorflow-cpu"),
    "newest": ("keras", "tensorflow-cpu"),
}
# There Keras itself fails on x[..., 0] in a file, and on ops.normalize.
NOT_IN = {"3.0": {"arithmetic", "normalize", "caffe"}}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("version", VERSIONS)
def test_files_of_every_version_answer_as_in_their_own_framework(version, tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", *VERSIONS[version]]
    subprocess.run(pip, check=True)
    complaints = written_by(python, tmp_path, *MODELS, *LARGE)
    for name in (*MODELS, *LARGE):
        path = tmp_path / f"{name}.keras"
        if not path.with_suffix(".npz").exists() and name in NOT_IN.get(version, ()):
            continue
        assert path.with_suffix(".npz").exists(), complaints
        model = read(path)
        assert distance(model, path) <= HALF_PRECISION.get(name, 1e-4), name
