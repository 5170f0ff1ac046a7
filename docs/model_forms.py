"""Forms of models: each is saved as people save it, and imported."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from components.artifacts.dataset import write_dataset
from components.artifacts.model import Embedding, ModelInfo
from components.import_answers import import_answers
from components.import_model import import_model
from components.ml.runtime import tf_keras
from docs.forms import Form
from pipelines.config.loading import load
from pipelines.runs.listing import listed_sources
from pipelines.sources.snapshot import snapshot_answers, snapshot_model, snapshot_modules, stage

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# It reads which backend to use when it is imported.
keras3: Any = importlib.import_module("keras")

_CLASSES = ("ant", "bee", "cat")
_SIDE = 8
_IMAGES = 12  # of each split

Keras: TypeAlias = Any
"""One of the two: ``tf_keras``, which is Keras 2, or ``keras``, which is Keras 3."""
Flow: TypeAlias = Any
"""What goes from layer to layer."""
Save = Callable[[Path], Path]
"""Saves a model into a folder and returns its path."""

_WORDS = {
    "softmax": "probabilities", "none": "logits", "sigmoid": "scores from 0 to 1, each by itself",
    "other": "numbers on no known scale",
}  # fmt: skip
_OWN_LAYER = """
import tf_keras as keras

class Twice(keras.layers.Layer):
    def call(self, pixels):
        return pixels * 2
"""


def _data(path: Path, task: Any, classes: Sequence[str]) -> Path:
    """Write images of noise, and which files they came from."""
    labels = np.arange(_IMAGES) % len(classes)
    splits = {
        split: (
            np.random.default_rng(seed).integers(
                0, 256, (_IMAGES, _SIDE, _SIDE, 3), dtype=np.uint8
            ),
            labels,
        )
        for seed, split in enumerate(("train", "validation", "selection"))
    }
    manifest = [
        {"name": f"{split}/{row}.png", "split": split, "index": row, "records": None}
        for split in splits
        for row in range(_IMAGES)
    ]
    return write_dataset(path, splits, task=task, classes=classes, manifest=manifest).path


def _told(model: Path, report: Path) -> str:
    """Say what became of a model that was taken."""
    info = ModelInfo.read(model)
    content = json.loads((report / "import.json").read_bytes())
    if isinstance(info.output, Embedding):
        numbers = f"an embedding of {info.output.size} numbers"
    else:
        numbers = f"{info.output.size} {_WORDS[info.output.activation]}"
    may = "students learn from it, and it can be pruned, quantized and converted"
    if not info.trainable:
        may = "students learn from it, and it can be quantized and converted, not pruned"
    if content["component"] == "import_answers":
        may = "students learn from it and are compared with it; nothing else"
    again = len(content.get("frozen_in_file_and_trained", ()))
    return f"taken: {numbers}; {may}" + (f"; {again} frozen layers are trained" * bool(again)) + "."


def _form(
    given: str,
    save: Save,
    *,
    task: str = "classification",
    classes: Sequence[str] = _CLASSES,
    modules: str = "",
    **settings: Any,
) -> Form:
    def outcome(folder: Path) -> str:
        data = _data(folder / "data", task, classes)
        path = save(folder)
        ends = folder / "out", folder / "report"
        if path.suffix == ".npz":
            stage(snapshot_answers(str(path)), folder / "source")
            import_answers(folder / "source", data, *ends)
            return _told(*ends)
        stage(snapshot_model(str(path)), folder / "source")
        if modules:
            (folder / "my_layers.py").write_text(modules)
            stage(snapshot_modules([str(folder / "my_layers.py")]), folder / "modules")
        staged = folder / "modules" if modules else None
        with contextlib.redirect_stdout(io.StringIO()):
            import_model(folder / "source", data, staged, *ends, threads=2, **settings)
        return _told(*ends)

    return Form(given, outcome)


def _net(
    keras: Keras, *layers: Any, units: int = 3, last: str | None = "softmax", side: int = _SIDE
) -> Any:
    """Return a network: these layers, and one that answers."""
    image = flow = keras.layers.Input((side, side, 3))
    for layer in layers:
        flow = layer(flow)
    flow = keras.layers.Flatten()(flow)
    return keras.Model(image, keras.layers.Dense(units, activation=last, name="last")(flow))


def _saved(make: Callable[[], Any], name: str = "model.keras") -> Save:
    """Save by ``model.save``, or by ``model.export`` where the name has no ending."""

    def save(folder: Path) -> Path:
        model, path = make(), folder / name
        if path.suffix:
            model.save(path)
            return path
        with contextlib.redirect_stdout(io.StringIO()):
            model.export(str(path))
        return path

    return save


def _bytes(name: str, content: bytes = b"weights") -> Save:
    def save(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return save


def _weights(folder: Path) -> Path:
    _net(keras3).save_weights(folder / "model.weights.h5")
    return folder / "model.weights.h5"


def _weights_in_parts(folder: Path) -> Path:
    _net(keras3).save_weights(folder / "model.weights.json", max_shard_size=1)
    return folder / "model.weights.json"


def _unzipped(folder: Path) -> Path:
    """Write what ``model.save(FOLDER, zipped=False)`` does."""
    _net(keras3).save(folder / "packed.keras")
    with zipfile.ZipFile(folder / "packed.keras") as packed:
        packed.extractall(folder / "model")
    return folder / "model"


def _checkpoint(folder: Path) -> Path:
    _net(tf_keras).save_weights(folder / "model")
    return folder / "model.index"


def _sequential() -> Any:
    layers = keras3.layers
    return keras3.Sequential(
        [
            layers.Input((_SIDE, _SIDE, 3)), layers.RandomFlip(), layers.RandomRotation(0.1),
            layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3),
        ]
    )  # fmt: skip


def _nested(keras: Keras) -> Any:
    inside = keras.layers.Input((_SIDE, _SIDE, 3))
    two = [keras.layers.Conv2D(2, 1)(inside), keras.layers.Conv2D(3, 1)(inside)]
    fork = keras.Model(inside, two, name="fork")
    image = keras.layers.Input((_SIDE, _SIDE, 3))
    flow = keras.layers.Flatten()(keras.layers.Concatenate()(fork(image)))
    return keras.Model(image, keras.layers.Dense(3)(flow))


def _siamese(keras: Keras) -> Any:
    inside = keras.layers.Input((_SIDE, _SIDE, 3))
    vector = keras.layers.Dense(5)(keras.layers.Flatten()(inside))
    tower = keras.Model(inside, vector, name="embedding")
    one, two = (keras.layers.Input((_SIDE, _SIDE, 3)) for _ in range(2))
    apart = keras.layers.Subtract()([tower(one), tower(two)])
    return keras.Model([one, two], keras.layers.Dense(1, activation="sigmoid")(apart))


def _two_outputs() -> Any:
    model = _net(tf_keras)
    return tf_keras.Model(model.inputs, [model.outputs[0], model.layers[-2].output])


def _frozen() -> Any:
    model = _net(keras3, keras3.layers.Conv2D(2, 1))
    model.trainable = False
    return model


def _not_finite() -> Any:
    model = _net(tf_keras)
    model.get_layer("last").set_weights([np.full((3 * _SIDE**2, 3), np.nan), np.zeros(3)])
    return model


def _embedding(keras: Keras) -> Any:
    image = keras.layers.Input((_SIDE, _SIDE, 3))
    flow = keras.layers.Dense(5)(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.UnitNormalization()(flow))


def _halved(keras: Keras) -> Any:
    # Of a function with a name Keras 3 writes the name alone.
    return _net(
        keras,
        keras.layers.Lambda(lambda pixels: pixels / 2, name="halve"),  # pyright: ignore[reportUnknownLambdaType]
    )


def _own(keras: Keras = tf_keras) -> Any:
    class Twice(keras.layers.Layer):
        def call(self, pixels: Flow) -> Flow:
            return pixels * 2

    return _net(keras, Twice(name="twice"))


def _answers(columns: int) -> Save:
    def save(folder: Path) -> Path:
        paths = [
            f"{split}/{row}.png"
            for split in ("train", "validation", "selection")
            for row in range(_IMAGES)
        ]
        drawn = np.random.default_rng(0).uniform(size=(len(paths), columns))
        outputs = drawn / drawn.sum(axis=1, keepdims=True) if columns > 1 else drawn
        np.savez(folder / "answers.npz", paths=paths, outputs=outputs)
        return folder / "answers.npz"

    return save


def _pruned_program() -> Form:
    """A SavedModel whose weights a variant would change: the configuration is enough to say so."""
    text = (
        "{name: small, task: classification, data: ./data,\n"
        " image: {height: 8, width: 8}, split: {by: image},\n"
        "teacher: {model: ./saved, trusted: true, normalization: {mean: 0, scale: 255}},\n"
        "variants: {small: [{prune: {sparsity: 0.5}}]}, budgets: {drop: 0.1}}\n"
    )

    def outcome(folder: Path) -> str:
        from pipelines.compress import graph_of

        for name in ("saved/saved_model.pb", "data/ant/1.png"):
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_bytes(b"content")
        (folder / "run.yaml").write_text(text)
        listed_sources(graph_of(load(folder / "run.yaml")))
        return "taken."

    return Form("the same with a variant that begins with `prune`", outcome)


_ENDS = {"task": "verification"}
_UNMAPPED = _saved(lambda: _net(keras3, keras3.layers.GroupNormalization(3, name="groups")))

FORMS: tuple[Form, ...] = (
    _form("Keras 3, `.keras`, functional", _saved(lambda: _net(keras3))),
    _form("Keras 3, `.keras`, Sequential, with layers for augmentation", _saved(_sequential)),
    _form("Keras 3 with a layer without a counterpart in Keras 2", _UNMAPPED),
    _form("the same, written by `model.export`, with `trusted: true`",
          _saved(lambda: _net(keras3, keras3.layers.GroupNormalization(3)), "saved"), trusted=True),
    _form("Keras 3 with a Lambda layer", _saved(lambda: _halved(keras3))),
    _form("the same with `trusted: true`", _saved(lambda: _halved(keras3)), trusted=True),
    _form("Keras 3, `.h5`", _saved(lambda: _net(keras3), "model.h5")),
    _form("Keras 3, saved with `zipped=False`", _unzipped),
    _form("weights alone (`save_weights`)", _weights),
    _form("the same in parts (`max_shard_size`)", _weights_in_parts),
    _form("a checkpoint of TensorFlow", _checkpoint),
    _form("Keras 2, `.keras`", _saved(lambda: _net(tf_keras))),
    _form("Keras 2, `.h5`", _saved(lambda: _net(tf_keras), "model.h5")),
    _form("Keras 2 with a Lambda layer", _saved(lambda: _halved(tf_keras))),
    _form("the same with `trusted: true`", _saved(lambda: _halved(tf_keras)), trusted=True),
    _form("a layer of one's own", _saved(_own)),
    _form("the same with `trusted: true` and `modules: [./my_layers.py]`", _saved(_own),
          trusted=True, modules=_OWN_LAYER),
    _form("a SavedModel folder", _saved(lambda: _net(tf_keras), "saved")),
    _form("the same with `trusted: true`", _saved(lambda: _net(tf_keras), "saved"), trusted=True),
    _pruned_program(),
    _form("a model inside a model, with two outputs there", _saved(lambda: _nested(keras3))),
    _form("two outputs", _saved(_two_outputs)),
    _form("a Siamese file: two images in", _saved(lambda: _siamese(keras3)), **_ENDS),
    _form("the same with `tower: embedding`", _saved(lambda: _siamese(keras3)),
          tower="embedding", **_ENDS),
    _form("an embedding for verification", _saved(lambda: _embedding(keras3)), **_ENDS),
    _form("a classifier for verification", _saved(lambda: _net(tf_keras)), **_ENDS),
    _form("saved with `trainable = False`", _saved(_frozen)),
    _form("weights that are no numbers (NaN)", _saved(_not_finite)),
    _form("one sigmoid unit, two classes", _saved(lambda: _net(keras3, units=1, last="sigmoid")),
          classes=_CLASSES[:2]),
    _form("one unit without a sigmoid, two classes",
          _saved(lambda: _net(keras3, units=1, last=None)), classes=_CLASSES[:2]),
    _form("a sigmoid unit for each class", _saved(lambda: _net(keras3, last="sigmoid"))),
    _form("an image of another size", _saved(lambda: _net(tf_keras, side=2 * _SIDE))),
    _form("more classes than the data has", _saved(lambda: _net(tf_keras, units=5))),
    _form("PyTorch: `.pt`, `.pth`", _bytes("model.pt")),
    _form("ONNX", _bytes("model.onnx")),
    _form("`.tflite`", _bytes("model.tflite")),
    _form("`.safetensors`", _bytes("model.safetensors")),
    _form("a zip or tar archive", _bytes("model.zip")),
    _form("answers of any framework, `outputs: answers.npz`", _answers(3)),
    _form("the same, one probability for each image, two classes", _answers(1),
          classes=_CLASSES[:2]),
)  # fmt: skip
"""What people give as models."""
