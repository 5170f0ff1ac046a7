"""Writes models with Keras 3, whichever version runs this: files, and what they answer.

``python keras3_writer.py FOLDER [NAME ...]`` writes NAME.keras and NAME.npz (images, answers). It
imports nothing of slimline, so that any environment with Keras 3 can run it.
"""

import inspect
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
from keras import layers, ops
from keras3_names import CLASSES, MODELS, RANDOM, REFUSED, SHARING, SIAMESE, SIDE


def image():
    return keras.Input((SIDE, SIDE, 3))


def head(start, flow, activation="softmax"):
    if len(flow.shape) > 2:
        flow = layers.Flatten()(flow)
    return keras.Model(start, layers.Dense(CLASSES, activation=activation)(flow))


def every_layer():
    start = image()
    flow = layers.Rescaling([1 / 255] * 3, [-0.5, -0.4, -0.3])(start)
    flow = layers.Resizing(SIDE, SIDE + 2)(flow)
    flow = layers.Cropping2D(((0, 0), (1, 1)))(flow)
    flow = layers.ZeroPadding2D(1)(flow)
    flow = layers.Conv2D(
        6,
        3,
        padding="same",
        activation="relu",
        kernel_regularizer="l2",
        kernel_constraint="max_norm",
    )(flow)
    flow = layers.BatchNormalization()(flow)
    flow = layers.SeparableConv2D(6, 3, padding="same", activation="elu")(flow)
    flow = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(flow)
    flow = layers.LeakyReLU(negative_slope=0.1)(flow)
    flow = layers.PReLU(shared_axes=[1, 2])(flow)
    flow = layers.LayerNormalization()(flow)
    flow = layers.GaussianNoise(0.1)(flow)
    flow = layers.GaussianDropout(0.1)(flow)
    flow = layers.MaxPooling2D(2)(flow)
    flow = layers.Conv2DTranspose(4, 2, strides=2)(flow)
    flow = layers.AveragePooling2D(2)(flow)
    flow = layers.UpSampling2D(2, interpolation="bilinear")(flow)
    flow = layers.SpatialDropout2D(0.1)(flow)
    flow = layers.ELU()(flow)
    one = layers.ReLU(6.0, negative_slope=0.1)(flow)
    two = layers.Softmax()(flow)
    merged = [
        layers.Add()([one, two]), layers.Subtract()([one, two]), layers.Multiply()([one, two]),
        layers.Average()([one, two]), layers.Maximum()([one, two]), layers.Minimum()([one, two]),
    ]  # fmt: skip
    flow = layers.Concatenate()(merged)
    flow = layers.Permute((2, 1, 3))(flow)
    line = layers.Reshape((-1, flow.shape[-1]))(flow)
    line = layers.Conv1D(5, 3, activation="tanh")(line)
    line = layers.SeparableConv1D(5, 3)(line)
    line = layers.DepthwiseConv1D(3)(line)
    line = layers.MaxPooling1D(2)(line)
    line = layers.AveragePooling1D(2)(line)
    parts = [
        layers.GlobalAveragePooling1D()(line), layers.GlobalMaxPooling1D()(line),
        layers.GlobalAveragePooling2D()(flow), layers.GlobalMaxPooling2D(keepdims=True)(flow),
    ]  # fmt: skip
    parts[-1] = layers.Flatten()(parts[-1])
    flow = layers.Concatenate()(parts)
    flow = layers.Dropout(0.1)(flow)
    flow = layers.UnitNormalization()(
        layers.Identity()(flow) if hasattr(layers, "Identity") else flow
    )
    return head(start, layers.Activation("sigmoid")(flow))


def arithmetic():
    start = image()
    flow = (start - np.array([100.0, 110.0, 120.0], "float32")) / 127.5
    flow = 1.0 - flow * 2
    flow = ops.add(flow, -flow) + ops.maximum(flow, 0.0) + ops.minimum(flow, 0.5)
    flow = flow + ops.square(flow) + flow**2 + ops.abs(flow) + ops.sqrt(ops.abs(flow) + 1.0)
    flow = (
        flow / (1.0 + ops.exp(-flow)) + 1 / (2.0 + ops.relu6(flow)) + ops.power(ops.abs(flow), 1.5)
    )
    flow = ops.clip(flow, -1.0, 4.0) + ops.clip(flow, 0.0, 1.0) + ops.log(1.5 + ops.relu(flow))
    flow = ops.concatenate([flow, ops.flip(flow, axis=-1), flow[..., ::-1]], axis=-1)
    flow = layers.Conv2D(6, 3)(flow)
    gate = ops.hard_sigmoid(ops.mean(flow, axis=(1, 2), keepdims=True))
    flow = flow * gate + ops.hard_silu(flow) + ops.leaky_relu(flow) + ops.silu(flow)
    flow = ops.transpose(flow, (0, 2, 1, 3))
    rest = ops.reshape(flow, (-1, flow.shape[1] * flow.shape[2], flow.shape[3]))
    rest = ops.sum(rest, axis=1) + ops.max(flow, axis=[1, 2]) + ops.min(flow, axis=(1, 2))
    rest = ops.concatenate([rest, flow[:, 0, 1], ops.squeeze(ops.expand_dims(rest, 1), 1)], axis=1)
    long = ops.stack([rest, ops.tanh(rest)], axis=-1)
    return head(start, ops.softmax(ops.subtract(long, 0.1), axis=-1))


def known(make):
    """Return what an operation makes, or nothing where older versions have it for arrays alone."""
    try:
        return [make()]
    except (TypeError, ValueError):
        if tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 12):
            raise
        return []


def operations():
    """What is less common than the operations of ``arithmetic``; older versions lack some."""
    start = image()
    flow = layers.Conv2D(4, 3)(layers.Rescaling(1 / 64, -2)(start))
    alone = "ceil cos expm1 floor gelu hard_tanh log_sigmoid log_softmax reciprocal round sign sin"
    parts = [getattr(ops, name)(flow) for name in alone.split() if hasattr(ops, name)]
    parts += known(lambda: ops.stop_gradient(flow))
    parts += [ops.log1p(ops.abs(flow)), flow // 2.0, ops.mod(flow, 2.0), ops.cast(flow, "float32")]
    parts += [ops.swapaxes(flow, 1, 2), ops.moveaxis(ops.moveaxis(flow, -1, 1), 1, -1)]
    parts += [ops.swapaxes(ops.swapaxes(flow, 1, 3), 1, -1)]
    flow = ops.concatenate(parts, axis=-1)
    line = layers.SpatialDropout1D(0.2)(layers.Reshape((-1, flow.shape[-1]))(flow))
    rest = [ops.var(line, axis=1), ops.std(line, axis=1)]
    rest += known(lambda: ops.logsumexp(line, axis=1))
    rest += [ops.prod(ops.clip(line, 0.9, 1.1), axis=1), ops.var(flow, axis=(1, 2))]
    return head(start, ops.concatenate(rest, axis=-1))


def ends_in_model():
    inside, more, start = image(), image(), image()
    inner = keras.Model(inside, layers.Conv2D(3, 3, padding="same")(inside), name="inner")
    middle = keras.Model(more, inner(inner(more)), name="middle")
    return keras.Model(start, head(image_of := image(), image_of)(middle(middle(start))))


def inputs_by_name():
    a, b, start = keras.Input((SIDE, SIDE, 3), name="a"), image(), image()
    two = keras.Model(
        {"z": a, "b": b}, layers.Subtract()([layers.Conv2D(2, 3)(a), layers.Conv2D(2, 3)(b)])
    )
    return head(start, two({"b": layers.Rescaling(0.5)(start), "z": start}))


def odd_names():
    start = keras.Input((SIDE, SIDE, 3), name="my image: größe")
    flow = start
    for name in ("größe 1", "grö_e 1", "_hidden", "a:b", "image", "1st"):
        flow = layers.Conv2D(3, 3, padding="same", name=name)(flow)
    return head(start, keras.Model(start, flow, name="Modell für Zähler")(start))


def tower():
    inside = image()
    flow = layers.Flatten()(layers.Conv2D(3, 3)(layers.Rescaling(1 / 255)(inside)))
    return keras.Model(inside, layers.Dense(5)(flow), name="embedding")


@keras.saving.register_keras_serializable("mine")
class Distance(layers.Layer):
    def call(self, one, two):
        return ops.abs(one - two)


def siamese(compared):
    shared, pair = tower(), [image(), image()]
    return keras.Model(pair, compared([shared(one) for one in pair]))


def siamese_behind_scaling():
    shared, pair, twice = tower(), [image(), image()], layers.Rescaling(2.0, name="twice")
    scaled = [layers.Dropout(0.1)(twice(one) - 1) for one in pair]
    return keras.Model(pair, layers.Subtract()([shared(one) for one in scaled]))


def shared_layers():
    chain = [layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(5, name="vector")]
    pair = [image(), image()]
    ends = pair
    for layer in chain:
        ends = [layer(end) for end in ends]
    return keras.Model(pair, layers.Subtract()(ends))


def shared_inside():
    inner, pair = siamese(layers.Subtract()), [image(), image()]
    inner.name = "siamese"
    return keras.Model(pair, layers.Dense(1)(inner(pair)))


def two_outputs():
    start = image()
    flow = layers.Flatten()(start)
    return keras.Model(start, [layers.Dense(CLASSES)(flow), layers.Dense(2)(flow)])


def shared_by_models():
    one, two, start = image(), image(), image()
    shared = layers.Conv2D(3, 3, name="shared")
    models = keras.Model(one, shared(one)), keras.Model(two, layers.ReLU()(shared(two)))
    return head(start, layers.Add()([model(start) for model in models]))


def code_as_activation():
    start = image()
    return head(start, layers.Conv2D(3, 3, activation=lambda pixels: pixels * 2, name="own")(start))


def preprocessed(name):
    start = image()
    flow = getattr(keras.applications, name).preprocess_input(start)
    return head(start, layers.Conv2D(4, 3, strides=2)(flow))


def embedding(way):
    start = image()
    flow = layers.Dense(5)(layers.Flatten()(layers.Rescaling(1 / 255)(start)))
    unit = {
        "normalize": lambda: ops.normalize(flow, axis=-1),
        "layer": lambda: layers.UnitNormalization()(flow),
        "norm": lambda: flow / ops.norm(flow, axis=-1, keepdims=True),
        "sqrt": lambda: flow / ops.sqrt(ops.sum(ops.square(flow), axis=-1, keepdims=True)),
    }
    return keras.Model(start, unit[way]())


def activations():
    start = image()
    names = (
        "elu exponential gelu hard_sigmoid hard_silu leaky_relu linear mish relu relu6 selu sigmoid silu "
        "softmax softplus softsign tanh"
    )
    flow = layers.Rescaling(1 / 32, -4)(start)
    parts = [
        layers.Activation(name)(flow) for name in names.split() if hasattr(keras.activations, name)
    ]
    parts += [
        layers.Conv2D(2, 1, activation=name)(flow) for name in ("hard_sigmoid", "gelu", "swish")
    ]
    parts += [
        layers.Conv2D(2, 1, activation=layers.ReLU(6.0))(flow),
        layers.Dense(2, "hard_silu")(flow),
    ]
    return head(start, layers.Concatenate()(parts))


def arrays_as_settings():
    start = image()
    flow = layers.Rescaling(np.array([0.01, 0.02, 0.03]), offset=np.array([-1.0, 0.0, 1.0]))(start)
    flow = layers.Normalization(mean=np.array([0.1, 0.2, 0.3]), variance=np.ones(3))(flow)
    return head(start, layers.Conv2D(4, 3)(flow))


def unbuilt():
    return keras.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(CLASSES)])


def keras_is(version):
    return keras.__version__.startswith(f"{version}.")


def augmented():
    random = [
        getattr(layers, name)(*given)
        for name, given in RANDOM.items()
        if hasattr(layers, name) and not (name == "RandomGrayscale" and keras_is("3.9"))
    ]  # Keras 3.9 itself takes that one for a circle
    start = image()
    flow = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *random], name="augmentation")(start)
    flow = layers.RandomFlip()(flow)
    return head(start, layers.Conv2D(3, 3, name="conv")(layers.Rescaling(1 / 255)(flow)))


def sequential():
    adapted = layers.Normalization()
    adapted.adapt(np.random.default_rng(0).uniform(0, 255, (20, SIDE, SIDE, 3)))
    return keras.Sequential(
        [
            adapted, layers.RandomRotation(0.1), layers.Conv2D(4, 3, activation="relu"),
            layers.Conv2D(5, 3), layers.BatchNormalization(), layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )  # fmt: skip


def nested():
    inner_input = keras.Input((SIDE, SIDE, 3))
    convolved = layers.Conv2D(3, 3, padding="same", name="conv")(inner_input)
    inner = keras.Model(inner_input, layers.Add()([inner_input, convolved]), name="inner")
    start = image()
    flow = layers.Conv2D(3, 3, padding="same", name="conv")(layers.Rescaling(1 / 255)(start))
    flow = inner(inner(flow))
    last = keras.Sequential(
        [keras.Input((SIDE, SIDE, 3)), layers.Flatten(), layers.Dense(CLASSES), layers.Softmax()],
        name="head",
    )
    return keras.Model(start, last(flow))


def fork():
    start, inside = image(), image()
    two = {"b": layers.Conv2D(2, 1)(inside), "a": layers.Conv2D(3, 1)(inside)}
    parts = keras.Model(inside, two, name="fork")(start)
    return head(start, layers.Concatenate()([parts["a"], parts["b"]]))


def frozen():
    model = sequential()
    model.trainable = False
    return model


def half():
    start = image()
    flow = layers.Conv2D(4, 3, dtype="mixed_float16")(layers.Rescaling(1 / 255)(start))
    return head(start, layers.Conv2D(4, 3, dtype="bfloat16")(flow))


def small(build, name):
    """A narrow and shallow one; older versions call the name otherwise."""
    key = "name" if "name" in inspect.signature(build).parameters else "model_name"
    options = {"input_shape": (32, 32, 3), "weights": None, "classes": CLASSES, key: name}
    return build(0.25, 0.3, 32, **options)


def small_efficientnet():
    from keras.src.applications.efficientnet import EfficientNet

    return small(EfficientNet, "small")


def small_efficientnet_v2():
    from keras.src.applications.efficientnet_v2 import EfficientNetV2

    return small(EfficientNetV2, "efficientnetv2-b0")


def application(name, **options):
    return getattr(keras.applications, name)(
        input_shape=(32, 32, 3), weights=None, classes=CLASSES, **options
    )


def unmapped():
    start = image()
    return head(start, layers.GroupNormalization(3, name="groups")(start))


def with_code():
    start = image()
    return head(start, layers.Lambda(lambda pixels: pixels / 2, name="halve")(start))


MAKE = {
    "unmapped": unmapped,
    "with_code": with_code,
    "code_as_activation": code_as_activation,
    "siamese": lambda: siamese(layers.Subtract()),
    "siamese_by_code": lambda: siamese(
        layers.Lambda(lambda pair: pair[0] - pair[1], output_shape=(5,))
    ),
    "siamese_by_own_layer": lambda: siamese(lambda pair: Distance()(*pair)),
    "siamese_behind_scaling": siamese_behind_scaling,
    "shared_layers": shared_layers,
    "shared_inside": shared_inside,
    "two_outputs": two_outputs,
    "shared_by_models": shared_by_models,
    "every_layer": every_layer,
    "operations": operations,
    "ends_in_model": ends_in_model,
    "inputs_by_name": inputs_by_name,
    "odd_names": odd_names,
    "arithmetic": arithmetic,
    "caffe": lambda: preprocessed("resnet50"),
    "torch": lambda: preprocessed("densenet"),
    "tf": lambda: preprocessed("mobilenet_v2"),
    "normalize": lambda: embedding("normalize"),
    "unit": lambda: embedding("layer"),
    "norm": lambda: embedding("norm"),
    "sqrt": lambda: embedding("sqrt"),
    "activations": activations,
    "arrays_as_settings": arrays_as_settings,
    "unbuilt": unbuilt,
    "augmented": augmented,
    "sequential": sequential,
    "nested": nested,
    "fork": fork,
    "frozen": frozen,
    "half": half,
    "mobilenet_v3": lambda: application("MobileNetV3Small", alpha=0.35),
    "efficientnet": small_efficientnet,
    "efficientnet_v2": small_efficientnet_v2,
    "mobilenet_v3_minimal": lambda: application("MobileNetV3Small", alpha=0.35, minimalistic=True),
    "mobilenet_v3_large": lambda: application("MobileNetV3Large", alpha=0.35),
    "efficientnet_b0": lambda: application("EfficientNetB0"),
    "efficientnet_v2_b0": lambda: application("EfficientNetV2B0"),
    "efficientnet_v2_s": lambda: application("EfficientNetV2S"),
}


def write(folder, name):
    keras.utils.set_random_seed(0)
    model = MAKE[name]()
    if name in (*SIAMESE, *SHARING):
        write_part(folder, name, model)
        return
    random = np.random.default_rng(1)
    shape = model.input_shape[1:] if model.built else (SIDE, SIDE, 3)
    images = random.uniform(0, 255, (5, *shape)).astype("float32")
    model(images)
    for weight in model.weights:  # moving statistics that differ from fresh ones
        # An adapted Normalization computes with constants that were made of its weights.
        adapted = weight.path.endswith(("/mean", "/variance"))
        if "float" in str(weight.dtype) and not adapted:
            moved = np.asarray(weight).astype("float32") + random.uniform(0, 0.02, weight.shape)
            weight.assign(moved.astype("float32"))
    model.compile("adam", "mse")
    model.save(folder / f"{name}.keras")
    answers = np.asarray(model(images, training=False)).astype("float32")
    if name == "unit":
        model.save(folder / f"{name}.h5")
    if name in REFUSED:
        model.export(str(folder / name))
    np.savez(folder / f"{name}.npz", images=images, answers=answers)


def write_part(folder, name, model):
    """Write a model that is not taken as it is, the answers of what is, and its fix applied."""
    images = np.random.default_rng(1).uniform(0, 255, (5, SIDE, SIDE, 3)).astype("float32")
    one = name != "unbuilt" and len(model.inputs) == 1
    answers = model([images]) if one else None
    model.save(folder / f"{name}.keras")
    if name in SIAMESE:
        answers = model.get_layer("embedding")(images)
    if name == "shared_by_models":
        model.export(str(folder / name))
    if name == "unbuilt":
        model.build((None, SIDE, SIDE, 3))
        model.save(folder / "built.keras")
        np.savez(folder / "built.npz", images=images, answers=np.asarray(model(images)))
    if isinstance(answers, list):
        answers = answers[0]
    if answers is not None:
        np.savez(folder / f"{name}.npz", images=images, answers=np.asarray(answers))


if __name__ == "__main__":
    for chosen in sys.argv[2:] or [*MODELS, *REFUSED, *SIAMESE, *SHARING]:
        try:
            write(Path(sys.argv[1]), chosen)
        except Exception as error:  # noqa: BLE001 the test of this model fails and shows it
            print(f"{chosen}: {type(error).__name__}: {error}", file=sys.stderr)
