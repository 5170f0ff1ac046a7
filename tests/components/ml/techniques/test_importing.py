"""The user's own model: what is refused and how, and that what is taken answers the same."""

import json
import pickle
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from components.artifacts.dataset import write_dataset
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.convert import convert
from components.ml.formats import model_folder
from components.ml.runtime import tf, tf_keras
from components.pages.words import steps_in_words
from tests.data.patterns import NAMES, SIDE

layers = tf_keras.layers


def images(shape, count=6):
    return np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype(np.float32)


def functional(*extra):
    image = flow = layers.Input((SIDE, SIDE, 1))
    flow = layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2")(flow)
    flow = layers.BatchNormalization()(flow)
    for layer in extra:
        flow = layer(flow)
    flow = layers.Flatten()(flow)
    return tf_keras.Model(image, layers.Dense(len(NAMES), activation="softmax")(flow))


def nested():
    inner_input = layers.Input((6, 6, 4))
    inner = tf_keras.Model(
        inner_input,
        layers.Add()([inner_input, layers.Conv2D(4, 3, padding="same", name="conv")(inner_input)]),
        name="inner",
    )
    image = layers.Input((SIDE, SIDE, 1))
    flow = layers.Conv2D(4, 3, name="conv")(image)
    flow = inner(inner(flow))  # shared: one set of weights, called twice
    head = tf_keras.Sequential(
        [layers.Input((6, 6, 4)), layers.Flatten(), layers.Dense(len(NAMES)), layers.Softmax()],
        name="head",
    )
    return tf_keras.Model(image, head(flow))


def sequential():
    return tf_keras.Sequential(
        [
            layers.Input((None, None, 1)),
            layers.SeparableConv2D(4, 3, activation="swish"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(NAMES)),
        ]
    )


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("make", [functional, nested, sequential])
def test_a_keras_model_answers_the_same_after_it_was_imported(make, ending, take, tmp_path):
    original = make()
    for weight in original.weights:  # moving statistics that differ from fresh ones
        weight.assign(weight + 0.1)
    original.compile("adam", "mse")
    path = tmp_path / f"mine.{ending}"
    original.save(path)
    model, report = take(path)
    given = images((SIDE, SIDE, 1))
    expected = original(given, training=False).numpy()
    rebuilt, info = model_folder.load(model)
    np.testing.assert_allclose(rebuilt(given, training=False).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(model_folder.inference(model)(given), expected, atol=1e-6)
    assert not any(isinstance(layer, tf_keras.Model) for layer in rebuilt.layers)
    assert rebuilt.input_shape == (None, SIDE, SIDE, 1)
    assert info.output.classes == NAMES
    assert info.output.activation == ("none" if make is sequential else "softmax")
    assert info.parameters == original.count_params()
    assert info.trainable
    assert f"mine.{ending}" in info.source
    assert report["metric"] == "accuracy"


def answering_by_name():
    model = functional()
    return tf_keras.Model(model.inputs, {"classes": model.outputs[0]})


def inputs_by_name():
    a, b = layers.Input((SIDE, SIDE, 1), name="a"), layers.Input((SIDE, SIDE, 1), name="b")
    both = {"sum": layers.Add()([a, b]), "first": layers.Conv2D(1, 1)(a)}
    inner = tf_keras.Model({"b": b, "a": a}, both, name="inner")
    image = layers.Input((SIDE, SIDE, 1))
    made = inner({"a": image, "b": layers.Rescaling(0.5)(image)})
    flow = layers.Flatten()(layers.Subtract()([made["sum"], made["first"]]))
    return tf_keras.Model(image, layers.Dense(len(NAMES), "softmax")(flow))


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("make", [answering_by_name, inputs_by_name])
def test_tensors_by_name_are_those_in_order(make, ending, take, tmp_path):
    original = make()
    original.save(tmp_path / f"mine.{ending}")
    rebuilt, _ = model_folder.load(take(tmp_path / f"mine.{ending}")[0])
    given = images((SIDE, SIDE, 1))
    expected = tf.nest.flatten(original(given))[0]
    np.testing.assert_allclose(rebuilt(given), expected, atol=1e-6)


def test_the_normalization_is_the_users(take, tmp_path):
    functional().save(tmp_path / "mine.h5")
    model, _ = take(tmp_path / "mine.h5", mean=0.0, scale=255.0)
    info = ModelInfo.read(model)
    assert (info.input.mean, info.input.scale) == (0.0, 255.0)


def executing(path):
    """A layer whose code writes a file as soon as it is called."""

    def code(value):
        from pathlib import Path as Place

        Place(place).write_text("ran")
        return value

    place = str(path)
    return layers.Lambda(code, name="innocent")


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_lambda_is_refused_by_name_and_does_not_run(ending, inside, refused, tmp_path):
    proof = tmp_path / "proof"
    model = functional(executing(proof))
    if inside:
        image = layers.Input((SIDE, SIDE, 1))
        model = tf_keras.Model(image, model(image))
    model.save(tmp_path / f"mine.{ending}")
    proof.unlink()
    # The file is armed: Keras itself runs the code, though it is asked to be safe (.h5).
    if ending == "h5":
        tf_keras.models.load_model(tmp_path / "mine.h5", compile=False, safe_mode=True)
        assert proof.exists()
        proof.unlink()
    message = refused(tmp_path / f"mine.{ending}")
    assert "Lambda 'innocent'" in message
    assert "trusted: true" in message
    assert not proof.exists()


def test_a_lambda_of_the_users_own_runs_and_can_only_be_run(take, tmp_path):
    model = functional(layers.Lambda(lambda value: value * 2.0, name="innocent"))
    model.save(tmp_path / "mine.h5")
    path, report = take(tmp_path / "mine.h5", trusted=True)
    given = images((SIDE, SIDE, 1))
    np.testing.assert_allclose(
        model_folder.inference(path)(given), model(given, training=False).numpy(), atol=1e-6
    )
    assert not report["trainable"]
    assert not (path / "architecture.json").exists()
    with pytest.raises(UserError, match=r"cannot be pruned.*mine\.h5"):
        model_folder.load(path, "pruned")


class Homemade(layers.Layer):
    def call(self, value):
        return value + 1.0


def edited(path, change):
    """Change the architecture inside a ``.keras`` file, as an attacker would."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, content)


def layer_of(config, class_name):
    return next(item for item in config["config"]["layers"] if item["class_name"] == class_name)


def as_tfsm(config):
    layer_of(config, "Flatten")["class_name"] = "TFSMLayer"
    layer_of(config, "TFSMLayer")["config"]["filepath"] = "/somewhere"


def as_os_system(config):
    conv = layer_of(config, "Conv2D")
    conv["config"]["kernel_regularizer"] = {
        "class_name": "function", "config": "system", "module": "os", "registered_name": "system",
    }  # fmt: skip


def as_foreign_module(config):
    layer_of(config, "Dense")["module"] = "antigravity"


def as_registered(config):
    layer_of(config, "Dense")["registered_name"] = "evil>Dense"


def as_activation(config):
    layer_of(config, "Dense")["config"]["activation"] = "os.system"


def as_tf_op(config):
    layer_of(config, "Flatten")["class_name"] = "TFOpLambda"


def as_constant(config):
    layer_of(config, "Flatten")["inbound_nodes"] = [[["_CONSTANT_VALUE", -1, 1.0, {}]]]


def as_argument(config):
    layer_of(config, "Flatten")["inbound_nodes"][0][0][3] = {"function": "x"}


def as_circle(config):
    layer_of(config, "Conv2D")["inbound_nodes"][0][0][0] = layer_of(config, "Dense")["name"]


def as_subclass(config):
    config["class_name"] = "MyModel"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (as_tfsm, "TFSMLayer"),
        (as_os_system, "function"),
        (as_foreign_module, "'antigravity'"),
        (as_registered, "'evil>Dense'"),
        (as_activation, "'os.system'"),
        (as_tf_op, "TFOpLambda"),
        (as_constant, "Flatten"),
        (as_argument, "'function'"),
        (as_circle, "circle"),
        (as_subclass, "'MyModel'"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_name(change, named, refused, tmp_path):
    functional().save(tmp_path / "mine.keras")
    edited(tmp_path / "mine.keras", change)
    message = refused(tmp_path / "mine.keras")
    assert named in message
    assert "mine.keras" in message


def test_a_layer_of_ones_own_is_refused_by_name_and_a_saved_model_helps(refused, take, tmp_path):
    model = functional(Homemade(name="mine"))
    model.save(tmp_path / "mine.h5")
    said = refused(tmp_path / "mine.h5")
    assert "Homemade 'mine'" in said
    assert "trusted: true alone cannot help" in said
    assert "model.export" in said
    assert "Homemade" in refused(tmp_path / "mine.h5", trusted=True)
    assert "modules: [./layers.py]" in said  # test_users_modules.py does that
    model.export(str(tmp_path / "exported"))
    take(tmp_path / "exported", trusted=True)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "ran")


@pytest.mark.parametrize("trusted", [False, True])
def test_a_pickle_is_never_opened(trusted, refused, tmp_path):
    proof = tmp_path / "proof"
    path = tmp_path / "mine.keras"
    path.write_bytes(pickle.dumps(Bomb(proof)))
    assert "pickle" in refused(path, trusted=trusted)
    assert not proof.exists()


def test_data_outside_of_the_file_is_not_taken_in(refused, tmp_path):
    functional().save(tmp_path / "mine.h5")
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(4 * 4))
    with h5py.File(tmp_path / "mine.h5", "r+") as file:
        names = []
        file["model_weights"].visit(names.append)
        bias = next(name for name in names if "conv2d" in name and name.endswith("bias:0"))
        del file["model_weights"][bias]
        file["model_weights"].create_dataset(
            bias, (4,), "float32", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )
    assert "lies in another file" in refused(tmp_path / "mine.h5")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither a .keras nor an .h5"),
        (b"PK\x03\x04 and then nothing", "damaged"),
        (b"\x89HDF\r\n\x1a\n and then nothing", "HDF5"),
        (b"\x20\x00\x00\x00TFL3 rest", "already converted"),
        (b"<html>not found</html>", "neither a .keras nor an .h5"),
    ],
)
def test_a_damaged_file_is_one_clear_message(content, said, refused, tmp_path):
    (tmp_path / "mine.keras").write_bytes(content)
    message = refused(tmp_path / "mine.keras")
    assert said in message
    assert "mine.keras" in message


def test_a_truncated_file_is_one_clear_message(refused, tmp_path):
    functional().save(tmp_path / "mine.keras")
    whole = (tmp_path / "mine.keras").read_bytes()
    (tmp_path / "mine.keras").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refused(tmp_path / "mine.keras")


@pytest.mark.parametrize("part", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_packed_file_with_damaged_bytes_is_one_clear_message(part, refused, tmp_path):
    """As ``python -m zipfile -c`` packs it."""
    functional().save(tmp_path / "mine.keras")
    with zipfile.ZipFile(tmp_path / "mine.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "mine.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        at = archive.getinfo(part).header_offset + 30 + len(part)
    content = bytearray((tmp_path / "mine.keras").read_bytes())
    content[at : at + 8] = b"\xff" * 8
    (tmp_path / "mine.keras").write_bytes(content)
    assert "mine.keras is damaged" in refused(tmp_path / "mine.keras")


def test_settings_that_are_arrays_are_read(take, tmp_path):
    scale = layers.Rescaling(np.array([0.5]), offset=np.array([0.1]))
    image = layers.Input((SIDE, SIDE, 1))
    original = tf_keras.Model(image, layers.Dense(len(NAMES))(layers.Flatten()(scale(image))))
    original.save(tmp_path / "mine.keras")
    model, _ = take(tmp_path / "mine.keras")
    given = images((SIDE, SIDE, 1))
    rebuilt, _ = model_folder.load(model)
    np.testing.assert_allclose(rebuilt(given).numpy(), original(given).numpy(), atol=1e-5)


def test_a_normalization_that_is_no_number_is_named(refused, tmp_path):
    functional(layers.Normalization(mean=[np.nan] * 4, variance=[1.0] * 4, name="adapted")).save(
        tmp_path / "mine.h5"
    )
    assert "in 1 of its layers: adapted" in refused(tmp_path / "mine.h5")


def test_weights_alone_are_no_model(refused, tmp_path):
    functional().save_weights(tmp_path / "mine.h5")
    assert "weights and no architecture" in refused(tmp_path / "mine.h5")


def test_a_file_of_a_later_keras_is_named_as_one(refused, tmp_path):
    functional().save(tmp_path / "mine.keras")
    with zipfile.ZipFile(tmp_path / "mine.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["metadata.json"] = b'{"keras_version": "4.0.0", "date_saved": "now"}'
    with zipfile.ZipFile(tmp_path / "mine.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert "Keras 4.0.0" in refused(tmp_path / "mine.keras")


def test_a_model_that_does_not_fit_the_data_is_refused(refused, tmp_path, pattern_pairs):
    def save(name, inputs, units, activation=None, *, pooled=True):
        flow = layers.Flatten()(inputs) if pooled else inputs
        output = layers.Dense(units, activation=activation)(flow)
        tf_keras.Model(inputs, output).save(tmp_path / name)
        return tmp_path / name

    def message(*arguments, data=None, **options):
        path = save(*arguments, **options)
        return refused(path, **({} if data is None else {"data": data}))

    larger = layers.Input((32, 32, 3))
    assert "height: 32, width: 32, channels: 3" in message("a.h5", larger, 4)
    image = layers.Input((SIDE, SIDE, 1))
    assert "7 scores" in message("b.h5", image, 7)
    assert "8 x 8 x 4" in message("c.h5", image, 4, pooled=False)
    said = message("d.h5", image, 4, "softmax", data=pattern_pairs)
    assert "ends in a softmax" in said


def test_an_embedding_model_is_taken_for_verification(take, pattern_pairs, tmp_path):
    image = layers.Input((SIDE, SIDE, 1))
    model = tf_keras.Model(image, layers.Dense(5)(layers.Flatten()(image)))
    model.save(tmp_path / "mine.h5")
    path, report = take(tmp_path / "mine.h5", pattern_pairs)
    info = ModelInfo.read(path)
    assert (info.output.kind, info.output.size) == ("embedding", 5)
    assert report["metric"] == "auc"


def frozen_model():
    model = functional(layers.Conv2D(3, 2, name="edge"), layers.Dropout(0.1))
    model.trainable = False
    return model


@pytest.mark.parametrize("make", [frozen_model, lambda: tf_keras.Sequential([frozen_model()])])
def test_layers_that_were_saved_as_frozen_are_trained_and_it_is_said(make, take, tmp_path):
    make().save(tmp_path / "mine.keras")
    path, report = take(tmp_path / "mine.keras")
    model, info = model_folder.load(path)
    assert len(model.trainable_weights) == 8
    assert report["frozen"] == []
    assert len(report["frozen_in_file_and_trained"]) == 4
    assert "frozen in the file and trained here: 4 layers" in info.source
    assert steps_in_words(info.steps) == (
        "import_model mine.keras (4 layers saved as frozen and trained all the same)"
    )


def test_layers_that_the_user_freezes_stay_so(take, refused, tmp_path):
    functional(layers.Conv2D(3, 2, name="edge")).save(tmp_path / "mine.keras")
    path, report = take(tmp_path / "mine.keras", freeze=("ed*",))
    model, info = model_folder.load(path)
    assert report["frozen"] == ["edge"]
    assert [layer.name for layer in model.layers if not layer.trainable] == ["edge"]
    assert "frozen layers: 1" in info.source
    assert steps_in_words(info.steps) == "import_model mine.keras (1 layer not trained)"
    said = refused(tmp_path / "mine.keras", freeze=("edgy",))
    assert "'edgy'" in said
    assert "did you mean 'edge'?" in said  # with which the test began


def normalizing():
    adapted = layers.Normalization(axis=-1)
    adapted.adapt(images((SIDE, SIDE, 1)))  # counts in a weight of no dimension
    return tf_keras.Sequential([layers.Input((SIDE, SIDE, 1)), adapted, functional()])


def test_weights_of_no_dimension_are_read_again(take, tmp_path):
    model = normalizing()
    model.save(tmp_path / "mine.keras")
    given = images((SIDE, SIDE, 1))
    rebuilt, _ = model_folder.load(take(tmp_path / "mine.keras")[0])
    np.testing.assert_allclose(rebuilt(given), model(given, training=False), atol=1e-6)


class Distance(layers.Layer):
    def call(self, pair):
        return tf.abs(pair[0] - pair[1])


def siamese(tower, *, units=1):
    """Two inputs, one tower, and a distance whose code is not in the file."""
    first, second = (layers.Input((SIDE, SIDE, 1), name=name) for name in ("first", "second"))
    other = tf_keras.Sequential([layers.Input((SIDE, SIDE, 1)), layers.Flatten(), layers.Dense(2)])
    apart = Distance()([tower(first), tower(second)])
    answer = layers.Dense(units)(layers.Concatenate()([other(first), apart]))
    return tf_keras.Model([first, second], answer)


def sequential_tower():
    return tf_keras.Sequential(
        [layers.Input((SIDE, SIDE, 1)), layers.Conv2D(2, 3), layers.BatchNormalization(),
         layers.Flatten(), layers.Dense(5)],
        name="embedding",
    )  # fmt: skip


def functional_tower():
    image = layers.Input((SIDE, SIDE, 1))
    return tf_keras.Model(image, sequential_tower()(image), name="embedding")


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("make", [sequential_tower, functional_tower])
def test_a_siamese_file_leads_to_its_tower(make, ending, take, refused, pattern_pairs, tmp_path):
    tower = make()
    siamese(tower).save(tmp_path / f"mine.{ending}")
    said = refused(tmp_path / f"mine.{ending}", pattern_pairs)
    assert "has 2 inputs and 1 output;" in said
    assert "write teacher: {model: ..., tower: embedding}" in said
    path, _ = take(tmp_path / f"mine.{ending}", pattern_pairs, tower="embedding")
    given = images((SIDE, SIDE, 1))
    rebuilt, info = model_folder.load(path)
    np.testing.assert_allclose(rebuilt(given), tower(given, training=False), atol=1e-6)
    assert (info.output.kind, info.output.size) == ("embedding", 5)
    said = refused(tmp_path / f"mine.{ending}", pattern_pairs, tower="embeding")
    assert "did you mean 'embedding'?" in said


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_tower_behind_other_layers_is_not_taken_without_them_and_the_fix_helps(
    ending, take, refused, pattern_pairs, tmp_path
):
    tower, scale = sequential_tower(), layers.Rescaling(1 / 127.5, -1, name="scale")
    pair = [layers.Input((SIDE, SIDE, 1)), layers.Input((SIDE, SIDE, 1))]
    vectors = [tower(layers.Dropout(0.1)(scale(image))) for image in pair]
    model = tf_keras.Model(pair, layers.Subtract()(vectors))
    model.save(tmp_path / f"mine.{ending}")
    said = refused(tmp_path / f"mine.{ending}", pattern_pairs, tower="embedding")
    assert "'embedding' is not given the image but what comes of scale, which" in said
    (code,) = re.findall(r'model\.get_layer\(\S+\)\.save\("tower\.keras"\)', said)
    eval(code.replace('"tower.keras"', repr(str(tmp_path / "tower.keras"))), {"model": model})
    path, _ = take(tmp_path / "tower.keras", pattern_pairs, mean=127.5, scale=127.5)
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 1)).astype(np.uint8)
    expected = tower(scale(pixels.astype(np.float32)), training=False)
    answers = model_folder.inference(path)
    info = ModelInfo.read(path)
    np.testing.assert_allclose(answers(model_folder.normalize(pixels, info)), expected, atol=1e-5)


def test_inputs_that_share_single_layers_lead_to_a_model_of_these(
    take, refused, pattern_pairs, tmp_path
):
    flatten, dense = layers.Flatten(), layers.Dense(5, name="vector")
    first, second = layers.Input((SIDE, SIDE, 1)), layers.Input((SIDE, SIDE, 1))
    vectors = [dense(flatten(image)) for image in (first, second)]
    model = tf_keras.Model([first, second], layers.Subtract()(vectors))
    model.save(tmp_path / "mine.h5")
    said = refused(tmp_path / "mine.h5", pattern_pairs)
    fix = (
        "tf_keras.Model(model.inputs[0], "
        'model.get_layer("vector").get_output_at(0)).save("tower.keras")'
    )
    assert fix in said
    code = fix.replace('"tower.keras"', repr(str(tmp_path / "tower.keras")))
    eval(code, {"tf_keras": tf_keras, "model": model})
    take(tmp_path / "tower.keras", pattern_pairs)


def test_two_outputs_are_counted(refused, tmp_path):
    image = layers.Input((SIDE, SIDE, 1))
    flow = layers.Flatten()(image)
    tf_keras.Model(image, [layers.Dense(4)(flow), flow]).save(tmp_path / "mine.h5")
    assert "has 1 input and 2 outputs" in refused(tmp_path / "mine.h5")


def test_a_saved_model_is_a_program_and_needs_trust(refused, tmp_path):
    tf.saved_model.save(functional(), tmp_path / "mine")
    said = refused(tmp_path / "mine")
    assert "program" in said
    assert "trusted: true" in said


def test_a_saved_model_of_the_users_own_can_only_be_run(take, tmp_path):
    model = functional()
    tf.saved_model.save(model, tmp_path / "mine")
    path, report = take(tmp_path / "mine", trusted=True)
    given = images((SIDE, SIDE, 1))
    np.testing.assert_allclose(
        model_folder.inference(path)(given), model(given, training=False).numpy(), atol=1e-6
    )
    info = ModelInfo.read(path)
    assert not info.trainable
    assert info.output.activation == "softmax"
    assert info.parameters == model.count_params()
    assert report["imported"]["form"] == "SavedModel"
    with pytest.raises(UserError, match="cannot be pruned"):
        model_folder.load(path, "pruned")


def write_noise(path, shape, classes):
    """A dataset of noise of some size, for models that were trained on something else."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (2 * classes, *shape)).astype(np.uint8)
    labels = np.arange(2 * classes) % classes
    return write_dataset(
        path,
        dict.fromkeys(("train", "validation", "selection"), (noise, labels)),
        task="classification",
        classes=[f"class{index:02d}" for index in range(classes)],
    ).path


def test_resnet_8_of_mlperf_tiny(take, shared, tmp_path):
    path = shared / "data/models/mlperf_tiny/pretrainedResnet.h5"
    data = write_noise(tmp_path / "data", (32, 32, 3), 10)
    model, _ = take(path, data, mean=0.0, scale=1.0)
    original = tf_keras.models.load_model(path, compile=False)
    given = np.load(data / "train" / "images.npy").astype(np.float32)
    expected = original(given, training=False).numpy()
    rebuilt, info = model_folder.load(model)
    np.testing.assert_array_equal(rebuilt(given, training=False).numpy(), expected)
    np.testing.assert_allclose(model_folder.inference(model)(given), expected, atol=1e-5)
    assert (info.parameters, info.output.activation) == (original.count_params(), "softmax")


def test_the_keyword_spotter_of_mlperf_tiny(take, shared, tmp_path):
    path = shared / "data/models/mlperf_tiny/kws_ref_model"
    data = write_noise(tmp_path / "data", (49, 10, 1), 12)
    model, _ = take(path, data, trusted=True, mean=127.5, scale=1.0)
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    given = 10 * images((49, 10, 1))
    expected = signature(input_1=tf.constant(given))["dense"].numpy()
    np.testing.assert_allclose(model_folder.inference(model)(given), expected, atol=1e-6)
    assert not ModelInfo.read(model).trainable


@pytest.mark.parametrize("form", ["keras", "saved_model"])
@pytest.mark.parametrize("factor", [2, 0.5])
def test_a_model_of_another_size_sees_images_brought_to_it_in_the_final_file_too(
    form, factor, take, tmp_path
):
    """Images are averaged where they are larger, and enlarged bilinearly where they are smaller."""
    model = functional()
    side = int(SIDE * factor)
    pixels = np.random.default_rng(0).integers(0, 256, (40, side, side, 1)).astype(np.uint8)
    labels = np.arange(40) % len(NAMES)
    splits = dict.fromkeys(("train", "validation", "selection"), (pixels, labels))
    data = write_dataset(tmp_path / "data", splits, task="classification", classes=NAMES).path
    path = tmp_path / ("mine.keras" if form == "keras" else "mine")
    model.save(path) if form == "keras" else model.export(path)
    folder, _ = take(path, data, resize=True, trusted=form != "keras")
    info = ModelInfo.read(folder)
    assert (info.image_shape, info.trainable) == ((side, side, 1), form == "keras")
    given = model_folder.normalize(pixels, info)
    if factor == 2:
        seen = given.reshape(40, SIDE, 2, SIDE, 2, 1).mean((2, 4))
    else:
        seen = tf.image.resize(given, (SIDE, SIDE)).numpy()
    wanted = model(seen).numpy()
    np.testing.assert_allclose(model_folder.inference(folder)(given), wanted, atol=1e-5)
    convert(folder, tmp_path / "lite", tmp_path / "report")
    lite = Interpreter(str(tmp_path / "lite" / "model.tflite")).get_signature_runner()
    scores = np.concatenate([lite(image=one[None])["scores"] for one in given])
    np.testing.assert_allclose(scores, wanted, atol=1e-4)
