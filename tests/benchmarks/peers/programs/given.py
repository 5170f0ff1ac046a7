"""What every program of a peer is given, and what it leaves: runs in the peer's own environment.

    python PROGRAM.py --inputs DIR --output DIR [--steps N] [--threads N] [--seed N]

``inputs.json`` in DIR names the models, the splits and the images to calibrate on; every peer reads
the same. A program writes its files into the output folder, then ``made.json``, which lists them.
Nothing of slimline is imported here: the environment does not have it.

Shapes: n images, b images in a batch, h rows, w columns, c channels.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before TensorFlow is imported: its tf.keras is Keras 2 then, which TFMOT and the .h5 files need.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

SHIFT = 4
"""Pixels by which training images are moved, at most, each way; half of them are mirrored."""


@dataclass(frozen=True)
class GivenModel:
    """One of the models that every peer takes.

    Attributes:
        name: ``teacher`` or ``student``.
        h5: File of Keras 2.
        tflite: The same network as a float file.
        mean: Subtracted from every pixel.
        scale: What the difference is divided by.
    """

    name: str
    h5: Path
    tflite: Path
    mean: float
    scale: float

    def normalized(self, images_nhwc: np.ndarray) -> np.ndarray:
        """Return what the network is fed for these pixels, float32."""
        pixels_nhwc = images_nhwc.astype(np.float32)
        return (pixels_nhwc - np.float32(self.mean)) / np.float32(self.scale)

    def keras(self) -> Any:
        """Return the network."""
        import tf_keras

        return tf_keras.models.load_model(self.h5, compile=False)

    def gives_logits(self) -> bool:
        """Whether the network ends before a softmax, as slimline's students do."""
        return self.keras().layers[-1].get_config()["activation"] != "softmax"


@dataclass(frozen=True)
class Given:
    """What the command line gave.

    Attributes:
        inputs: Folder with ``inputs.json``.
        output: Folder to write into.
        steps: Of each training, for a short trial; None trains for as long as the program says.
        threads: Cores to use.
        seed: Of the order and the changes of training images.
        models: Teacher and student.
    """

    inputs: Path
    output: Path
    steps: int | None
    threads: int
    seed: int
    models: tuple[GivenModel, ...]

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return images (uint8, n x h x w x c) and labels of a split of the open dataset."""
        folder = self.inputs / "dataset" / name
        shards = [np.load(path) for path in sorted(folder.glob("images*.npy"))]
        return np.concatenate(shards), np.load(folder / "labels.npy")

    def calibration(self, model: GivenModel) -> list[np.ndarray]:
        """Return the images to calibrate on as the model is fed them, one a batch."""
        images_nhwc = np.load(self.inputs / "calibration.npy")
        return [model.normalized(image[None]) for image in images_nhwc]


def read() -> Given:
    """Read the command line and ``inputs.json``, and limit the threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    listed = json.loads((given.inputs / "inputs.json").read_bytes())["models"]
    models = tuple(
        GivenModel(
            one["name"],
            given.inputs / one["h5"],
            given.inputs / one["tflite"],
            one["mean"],
            one["scale"],
        )
        for one in listed
    )
    given.output.mkdir(parents=True, exist_ok=True)
    return Given(given.inputs, given.output, given.steps, given.threads, given.seed, models)


def limit_tensorflow(given: Given) -> None:
    """Make TensorFlow keep to the threads and the seed."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.keras.utils.set_random_seed(given.seed)


def changed(images_bhwc: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return images mirrored by chance and moved by up to ``SHIFT`` pixels, edges repeated."""
    height, width = images_bhwc.shape[1:3]
    padding = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    padded_bhwc = np.pad(images_bhwc, padding, mode="edge")
    tops, lefts = random.integers(0, 2 * SHIFT + 1, size=(2, len(images_bhwc)))
    flipped = random.random(len(images_bhwc)) < 0.5
    return np.stack(
        [
            image_hwc[top : top + height, left : left + width][:, :: -1 if flip else 1]
            for image_hwc, top, left, flip in zip(padded_bhwc, tops, lefts, flipped, strict=True)
        ]
    )


def batches(
    given: Given, model: GivenModel, batch: int, steps: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield ``steps`` batches of changed training images and their labels, epoch after epoch."""
    images_nhwc, labels_n = given.split("train")
    random = np.random.default_rng(given.seed)
    order = np.empty(0, np.int64)
    for _ in range(steps):
        while len(order) < batch:
            order = np.concatenate([order, random.permutation(len(images_nhwc))])
        chosen, order = order[:batch], order[batch:]
        yield model.normalized(changed(images_nhwc[chosen], random)), labels_n[chosen]


def fine_tune(
    given: Given,
    model: GivenModel,
    network: Any,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    callbacks: tuple[Any, ...] = (),
) -> dict[str, float]:
    """Train a Keras network on labels, Adam, half a cosine.

    Returns:
        ``steps`` and the seconds of one, ``step_s``, tracing included.
    """
    import tf_keras

    steps = steps_of(given, epochs, batch)
    rate = tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    network.compile(
        tf_keras.optimizers.Adam(rate),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=model.gives_logits()),
        ["accuracy"],
    )
    began = time.monotonic()
    network.fit(
        batches(given, model, batch, steps),
        steps_per_epoch=steps,
        verbose=0,
        callbacks=list(callbacks),
    )
    return {"steps": steps, "step_s": (time.monotonic() - began) / steps}


def steps_of(given: Given, epochs: int, batch: int) -> int:
    """Return the steps of a training: those of a trial, or of so many epochs."""
    return given.steps or epochs * (len(given.split("train")[1]) // batch)


def integer_file(given: Given, model: GivenModel, network: Any) -> bytes:
    """Return the int8 file of TensorFlow's converter, int8 at both ends, as its guide has it."""
    import tensorflow as tf

    def images() -> Iterator[list[np.ndarray]]:
        for image_1hwc in given.calibration(model):
            yield [image_1hwc]

    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = images
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


Made = dict[str, object]
"""An entry of ``made.json``: ``model``, ``kind``, ``file`` and what else is told."""


def write(given: Given, make: Callable[[GivenModel], list[tuple[str, str, bytes, Made]]]) -> None:
    """Make and write the files of each model, then ``made.json``.

    Args:
        given: What the command line gave.
        make: From a model to kind, suffix, content and further facts of each file of it.
    """
    files: list[Made] = []
    for model in given.models:
        for kind, suffix, content, facts in make(model):
            file = f"{model.name}-{kind.replace(' ', '-')}{suffix}"
            (given.output / file).write_bytes(content)
            files.append({"model": model.name, "kind": kind, "file": file, **facts})
    (given.output / "made.json").write_text(json.dumps({"files": files}, indent=2))
