"""A linear map of the pixels, fitted in one go: what a network has to be better than.

Verification gets Fisher's discriminants, classification softmax regression. Images are first
averaged to about a thousand numbers, and at most 20,000 of them are looked at: the fit takes
seconds whatever the data.

Shapes: n images of the fit, b images of a batch, h rows, w columns, c channels, p numbers of an
image, g discriminants, d numbers that come out.

References:
    Belhumeur et al., Eigenfaces vs. Fisherfaces (1997); Hastie et al., The Elements of Statistical
    Learning (2009), section 4.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.dataset import Dataset
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.progress import tell
from components.ml.formats import model_folder, samples
from components.ml.networks.building import build, info_of
from components.ml.runtime import tf, tf_keras
from components.ml.settings import Augmentation, Network
from components.ml.techniques import linear_classifier
from components.ml.training import discriminants
from components.ml.training.augmentation import (
    STRENGTHS,
    apply_changes,
    draw_changes,
    settled_for_answers,
)
from components.ml.training.examples import Examples, examples_of
from components.ml.training.outputs import outputs_of
from components.ml.training.reporting import REPORT
from components.ml.training.validation import Validation

_IMAGES = 20_000
"""Images of the fit, at most."""
_COPIED = 4_000
"""Images with their augmented copies, at most; more images than that have none."""
_COPIES = 6
_BATCH = 256


def fit_and_save(
    dataset: Path,
    path: Path,
    report: Path,
    *,
    network: Network,
    embedding: int,
    augmentation: Augmentation,
    mean: float,
    scale: float,
    seed: int,
) -> None:
    """Fit a linear map and write it as a Model; see ``components.train``.

    Args:
        dataset: Images and labels.
        path: Folder of the Model.
        report: Folder to write ``training.json`` into.
        network: Its resolution.
        embedding: Numbers in the embedding, at most; there are no more than identities less one.
        augmentation: How copies of the images are changed, where there are few.
        mean: Of the input's normalization.
        scale: Of the input's normalization.
        seed: Which images are taken, and of the copies.

    Raises:
        UserError: One identity or class only, or no identity with a second image.
    """
    data = Dataset.open(dataset)
    examples, augmentation = _examples(data), settled_for_answers(augmentation)
    tell(phase="averaging the images")
    info = info_of(data, embedding, mean, scale)
    pixels_np, labels_n = _rows(build(network, info), examples, augmentation, seed)
    tell(phase="solving")
    validation = Validation(data, info.task)
    best = None
    for name, matrix_pd, offset_d in _maps(pixels_np, labels_n, examples, embedding):
        info = info_of(data, int(matrix_pd.shape[1]), mean, scale)
        model = build(network, info)
        # The map is of pixels, and the network sees (pixel - mean) / scale.
        bias_d = offset_d + mean * tf.reduce_sum(matrix_pd, axis=0)
        weights = [scale * matrix_pd, bias_d]
        model.layers[-1].set_weights([tf.cast(part, tf.float32).numpy() for part in weights])
        measured = validation.measure(outputs_of(model, info))
        if best is None or measured > best[0]:
            best = (measured, name, model, info)
    assert best is not None, "there is one map at least"
    measured, name, model, info = best
    model_folder.save(path, model, info.after({"component": "train", "backbone": "linear"}))
    samples.draw(path, data, seed)
    content = {
        "schema": 1,
        "component": "train",
        "images": examples.images,
        "classes": examples.classes,
        "metric": validation.metric,
        "kept": {"number": 0, "loss": None, "learning_rate": None, "validation": measured},
        "epochs": [],
        "fit": {
            "rows": len(labels_n),
            "numbers_of_an_image": pixels_np.shape[1],
            "outputs": info.output.size,
            "by": name,
        },
        "parameters": {**asdict(network), **asdict(augmentation), "seed": seed},
    }
    report.mkdir(parents=True, exist_ok=True)
    (report / REPORT).write_bytes(canonical_json(content))


def _examples(data: Dataset) -> Examples:
    try:
        return examples_of(data)
    except UserError as error:  # a teacher that is imported needs no identities of its own
        fix = f"{error.fix}; or, where the baseline alone is fitted, write baseline: none"
        raise UserError(error.what, fix) from error


def _maps(
    pixels_np: np.ndarray, labels_n: np.ndarray, examples: Examples, embedding: int
) -> Iterator[tuple[str, Any, Any]]:
    """Yield by name what can be fitted, each a matrix ``pd`` and an offset ``d``; float64."""
    if not examples.compared:
        for found in linear_classifier.fitted(pixels_np, labels_n, examples.classes):
            yield f"softmax regression, penalty {found.penalty:g}", found.matrix_pk, found.offset_k
        return
    mean_p, matrix_pg = discriminants.solved(tf.constant(pixels_np, tf.float64), labels_n)
    matrix_pd = matrix_pg[:, -embedding:]  # the last tell most
    yield "discriminants", matrix_pd, -tf.linalg.matvec(matrix_pd, mean_p, transpose_a=True)


def _rows(
    model: Any, examples: Examples, augmentation: Augmentation, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of the fit as the map sees them, 0 to 255, and their labels."""
    random = np.random.default_rng([seed, examples.images])
    chosen_n = np.sort(random.permutation(examples.images)[:_IMAGES])
    copies = min(_COPIES, max(0, _COPIED // len(chosen_n) - 1))
    if augmentation.augment == "none" and not augmentation.flip:
        copies = 0
    numbers = tf_keras.Model(model.input, model.get_layer("flat").output)
    parts = [
        numbers(pixels_bhwc, training=False).numpy()
        for copy in range(copies + 1)
        for pixels_bhwc in _batches(examples, chosen_n, augmentation, copy, random)
    ]
    return np.concatenate(parts), np.tile(examples.labels_n[chosen_n], copies + 1)


def _batches(
    examples: Examples,
    chosen_n: np.ndarray,
    augmentation: Augmentation,
    copy: int,
    random: np.random.Generator,
) -> Iterator[Any]:
    """Yield the images ``bhwc`` as they are, and of copies from 1 on as they are changed."""
    for start in range(0, len(chosen_n), _BATCH):
        rows_b = chosen_n[start : start + _BATCH]
        pixels_bhwc = tf.constant(np.asarray(examples.images_nhwc[rows_b]), tf.float32)
        if copy:
            draws_bk = draw_changes(len(rows_b), flip=augmentation.flip, random=random)
            strength = STRENGTHS[augmentation.augment]
            pixels_bhwc = apply_changes(pixels_bhwc, tf.constant(draws_bk), strength, (copy, start))
        yield pixels_bhwc
