"""A toy task that a few layers learn in seconds: which of four patterns lies under the noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.artifacts.dataset import Dataset, write_dataset

SIDE = 8
NAMES = ("bars", "checks", "edge", "ring")


def images_of(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images, count x 8 x 8 x 1, and their labels, the classes in turn."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    middle = (SIDE - 1) / 2
    ring = np.abs(np.hypot(rows - middle, columns - middle) - 2.5) < 0.8
    shapes = np.stack([columns // 2 % 2, (rows + columns) % 2, rows < SIDE / 2, ring])
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(NAMES)
    light = 60 + 130 * shapes[labels].astype(float) + random.normal(0, 25, (count, SIDE, SIDE))
    return light.round().clip(0, 255).astype(np.uint8)[..., None], labels.astype(np.int32)


def write_patterns(path: Path, task: str) -> Dataset:
    """Write the dataset: 160 images to train on, 40 for each of the other splits."""
    sizes = {"train": 160, "validation": 40, "selection": 40}
    return write_dataset(
        path,
        {name: images_of(size, seed) for seed, (name, size) in enumerate(sizes.items())},
        task=task,
        classes=NAMES,
        description="patterns under noise",
    )


def write_model(path: Path, task: str) -> Path:
    """Train three convolutions on the patterns for a moment and write the Model.

    A classifier ends in a softmax; a verifier for verification in the eight numbers before it.
    """
    from components.artifacts.model import Embedding, ImageInput, ModelInfo, Scores
    from components.ml.formats import model_folder
    from components.ml.runtime import configure, tf_keras

    configure(threads=2, seed=0)
    layers = tf_keras.layers
    image = flow = layers.Input((SIDE, SIDE, 1))
    for name, filters in (("first", 12), ("second", 24)):
        flow = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=name)(flow)
        flow = layers.BatchNormalization(momentum=0.8, name=f"{name}_norm")(flow)
        flow = layers.ReLU(name=f"{name}_relu")(flow)
    flow = layers.DepthwiseConv2D(2, activation="relu", name="depthwise")(flow)
    flow = layers.GlobalAveragePooling2D(name="pool")(flow)
    vector = layers.Dense(8, name="embedding")(flow)
    scores = layers.Dense(len(NAMES), activation="softmax", name="scores")(vector)
    classifier = tf_keras.Model(image, scores)
    pixels, labels = images_of(160, seed=0)
    info = ModelInfo(
        task="classification" if task == "classification" else "verification",
        input=ImageInput(SIDE, SIDE, 1),
        output=Scores(NAMES, "softmax") if task == "classification" else Embedding(8),
        parameters=0,
    )
    classifier.compile(tf_keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    classifier.fit(model_folder.normalize(pixels, info), labels, batch_size=32, epochs=6, verbose=0)
    deployed = classifier if task == "classification" else tf_keras.Model(image, vector)
    model_folder.save(path, deployed, info.after({"component": "train", "backbone": "patterns"}))
    return path
