"""The list of known classes: what is on it exists, and what executes code is not on it."""

import json

import pytest

from components.contract.errors import UserError
from components.ml.networks import architecture
from components.ml.networks.architecture import LAYERS
from components.ml.runtime import tf_keras

EXECUTING = {
    "Lambda", "TFSMLayer", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "Wrapper",
    "StringLookup", "TextVectorization", "RNN", "Bidirectional", "TimeDistributed", "DenseFeatures",
}  # fmt: skip


def test_all_listed_layers_are_plain_layers_of_keras():
    assert not LAYERS & EXECUTING
    for name in LAYERS:
        layer = getattr(tf_keras.layers, name)
        assert issubclass(layer, tf_keras.layers.Layer)
        assert not issubclass(layer, tf_keras.layers.Wrapper | tf_keras.layers.Lambda)


def model():
    image = tf_keras.Input((4, 4, 1))
    flow = tf_keras.layers.Conv2D(
        2, 2, kernel_initializer=tf_keras.initializers.HeNormal(seed=1),
        kernel_constraint=tf_keras.constraints.MaxNorm(2.0), activation="swish",
    )(image)  # fmt: skip
    flow = tf_keras.layers.BatchNormalization()(flow, training=False)
    return tf_keras.Model(image, tf_keras.layers.Flatten()(flow))


def test_what_is_checked_holds_nothing_that_was_not_asked_for():
    given = json.loads(model().to_json())
    given["config"]["layers"][1]["build_config"] = {"anything": "at all"}
    given["compile_config"] = {"optimizer": "evil"}
    checked = architecture.checked(given, "mine")
    text = json.dumps(checked)
    assert "build_config" not in text
    assert "evil" not in text
    rebuilt = architecture.build(given, "mine")
    convolution = rebuilt.layers[1]
    assert isinstance(convolution.kernel_initializer, tf_keras.initializers.HeNormal)
    assert isinstance(convolution.kernel_constraint, tf_keras.constraints.MaxNorm)
    assert convolution.activation is tf_keras.activations.swish


def test_half_precision_becomes_the_usual_one():
    given = json.loads(model().to_json())
    for layer in given["config"]["layers"]:
        layer["config"]["dtype"] = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    rebuilt = architecture.build(given, "mine")
    assert {weight.dtype.name for weight in rebuilt.weights} == {"float32"}


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(layers="none"),
        lambda config: config.pop("output_layers"),
        lambda config: config["layers"][1]["config"].update(kernel_size="wide"),
        lambda config: config["layers"][2].update(inbound_nodes=[[["nobody", 0, 0, {}]]]),
        lambda config: config["layers"][1]["config"].update(filters=-1),
    ],
)
def test_parts_that_do_not_fit_are_one_clear_message(change):
    given = json.loads(model().to_json())
    change(given["config"])
    with pytest.raises(UserError, match="mine"):
        architecture.build(given, "mine")


def test_a_structure_without_end_is_refused():
    deep: dict = {}
    inner = deep
    for _ in range(500):
        inner["more"] = {}
        inner = inner["more"]
    given = json.loads(model().to_json())
    given["config"]["layers"][1]["config"]["extra"] = deep
    with pytest.raises(UserError, match="too deep"):
        architecture.build(given, "mine")


def test_only_models_of_listed_layers_are_known():
    assert architecture.is_known(model())
    image = tf_keras.Input((4,))
    odd = tf_keras.Model(image, tf_keras.layers.Lambda(lambda value: value)(image))
    assert not architecture.is_known(odd)
