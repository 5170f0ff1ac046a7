"""Distillation: a small network learns what a large one answers.

The teacher is asked beforehand, about a few views of each image, so that it costs a few passes
over the data and not one for every step; teacher and student see the same views
(arXiv:2106.05237).

Shapes: n images, v views, x mixes, b images in a batch, d numbers of the student's output, t of the
teacher's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ModelInfo, Scores
from components.contract.errors import UserError
from components.ml.formats import model_folder
from components.ml.runtime import tf
from components.ml.settings import Recipe, Target, Tower, Transfer
from components.ml.techniques.supervised import build, examples_of, info_of, write_report
from components.ml.training import augmentation, loop, losses
from components.ml.training.augmentation import STRENGTHS, Draws
from components.ml.training.examples import Examples, Mixes, TeacherOutputs
from components.ml.training.objectives import LABELS, TEACHER, Supervised, supervised
from components.ml.training.validation import Validation, outputs_of

_BATCH = 32
_LEAST = 1e-12
"""Probability below which a teacher's softmax says nothing more."""


@dataclass(frozen=True, eq=False)
class Distilled:
    """Learning from a teacher and from labels.

    Attributes:
        scores: Whether outputs are scores, and not embeddings.
        labels: Learning from labels.
        transfer: The weights.
        projection_dt: From the student's embedding to the teacher's where their sizes differ.
    """

    scores: bool
    labels: Supervised
    transfer: Transfer
    projection_dt: Any | None

    @property
    def variables(self) -> list[Any]:
        """What is thrown away when training ends."""
        extra = [] if self.projection_dt is None else [self.projection_dt]
        return [*self.labels.variables, *extra]

    def __call__(self, outputs_bd: Any, batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss."""
        teacher_bt, transfer = batch[TEACHER], self.transfer
        labelled_bd = outputs_bd[: batch[LABELS].shape[0]]  # mixes have no label
        hard = self.labels(labelled_bd, batch, progress)
        if self.scores:
            soft = losses.soft_labels(outputs_bd, teacher_bt, transfer.temperature)
            return transfer.soft_weight * soft + (1.0 - transfer.soft_weight) * hard
        loss = transfer.label_weight * hard
        if transfer.embedding_weight:
            mapped_bt = outputs_bd
            if self.projection_dt is not None:
                mapped_bt = tf.matmul(outputs_bd, self.projection_dt)
            matching = losses.embedding_matching(mapped_bt, teacher_bt)
            loss += transfer.embedding_weight * matching
        if transfer.relational_weight:
            relations = losses.relational_matching(outputs_bd, teacher_bt)
            loss += transfer.relational_weight * relations
        if transfer.similarity_weight:
            similarity = losses.similarity_matching(outputs_bd, teacher_bt)
            loss += transfer.similarity_weight * similarity
        return loss


def distill(
    dataset: Path,
    teacher: Path,
    path: Path,
    report: Path,
    *,
    tower: Tower,
    embedding: int | None,
    target: Target,
    transfer: Transfer,
    recipe: Recipe,
) -> None:
    """Train a student and write it; see ``components.distill``."""
    data = Dataset.open(dataset)
    teacher_card = ModelInfo.read(teacher)
    _check(teacher_card, data)
    size = embedding or teacher_card.output.size
    info = info_of(data, size, teacher_card.input.mean, teacher_card.input.scale)
    model = build(tower, info)  # before the teacher, whose building would draw from the seed too
    examples = taught(
        examples_of(data), teacher, teacher_card,
        views=transfer.views, mixes=transfer.mixes, recipe=recipe,
    )  # fmt: skip
    objective = _objective(info, teacher_card, target, transfer, examples.classes, recipe.seed)
    validation = Validation(data, info.task)
    history = loop.fit(model, info, examples, objective, validation, recipe)
    step = {
        "component": "distill",
        "backbone": tower.backbone,
        "alpha": tower.alpha,
        "loss": objective.labels.loss,
        "epochs": history.kept.number,
    }
    model_folder.save(path, model, replace(info, steps=teacher_card.steps).after(step))
    parameters = {**asdict(tower), **asdict(target), **asdict(transfer), **asdict(recipe)}
    teacher_score = validation.measure(_answers(teacher, teacher_card))
    write_report(
        report, "distill", history, examples, recipe,
        {"parameters": parameters, "teacher": {"validation": teacher_score}},
    )  # fmt: skip


def _check(teacher: ModelInfo, data: Dataset) -> None:
    if teacher.task != data.info.task:
        raise UserError(
            f"the teacher is for {teacher.task} and the dataset for {data.info.task}",
            "give a teacher that was made for this task",
        )
    if teacher.image_shape != data.info.shape:
        raise UserError(
            f"the teacher takes images of {teacher.image_shape} and the dataset has "
            f"{data.info.shape} (height, width, channels)",
            "set image: to the teacher's size",
        )
    if isinstance(teacher.output, Scores) and teacher.output.classes != data.info.classes:
        raise UserError(
            f"the teacher knows the classes {', '.join(teacher.output.classes)} and the dataset "
            f"has {', '.join(data.info.classes)}",
            "train the teacher on this dataset",
        )


def _objective(
    info: ModelInfo,
    teacher: ModelInfo,
    target: Target,
    transfer: Transfer,
    classes: int,
    seed: int,
) -> Distilled:
    size, asked = info.output.size, teacher.output.size
    labels = supervised(info.task, target, classes=classes, embedding=size, seed=seed)
    projection_dt = None
    if isinstance(info.output, Embedding) and size != asked:
        start_dt = tf.random.stateless_normal((size, asked), seed=(seed, asked))
        projection_dt = tf.Variable(start_dt / size**0.5, name="projection")
    return Distilled(isinstance(info.output, Scores), labels, transfer, projection_dt)


def taught(
    examples: Examples, teacher: Path, info: ModelInfo, *, views: int, mixes: int, recipe: Recipe
) -> Examples:
    """Return the examples with the teacher's answers about every view of every image.

    Args:
        examples: What is to be learned from.
        teacher: A Model; a program without an architecture will do.
        info: The teacher's.
        views: Ways in which each image is seen; one is enough where nothing changes it.
        mixes: Mixes that a batch is to have; the teacher is asked about as many as there are views
            of images.
        recipe: Says how images are changed.
    """
    if recipe.augment == "none" and not recipe.flip:
        views = 1
    random = np.random.default_rng([recipe.seed, views, examples.images])
    draws_vnk = np.stack(
        [augmentation.draw(examples.images, flip=recipe.flip, random=random) for _ in range(views)]
    )
    ask = _asking(teacher, info)
    changed = _changing(examples, draws_vnk, recipe)
    rows_n = np.arange(examples.images)
    outputs_vnt = np.stack(
        [
            np.concatenate(
                [ask(changed(np.full(len(rows), view), rows)) for rows in _parts(rows_n)]
            )
            for view in range(views)
        ]
    )
    if not mixes:
        return replace(examples, taught=TeacherOutputs(draws_vnk, outputs_vnt))
    count = views * examples.images
    views_x2 = random.integers(0, views, (count, 2))
    rows_x2 = random.integers(0, examples.images, (count, 2))
    shares_x = random.uniform(*augmentation.SHARES, count).astype(np.float32)
    outputs_xt = np.concatenate(
        [
            ask(
                augmentation.mix(
                    changed(views_x2[part, 0], rows_x2[part, 0]),
                    changed(views_x2[part, 1], rows_x2[part, 1]),
                    shares_x[part],
                )
            )
            for part in _parts(np.arange(count))
        ]
    )
    known = Mixes(views_x2, rows_x2, shares_x, outputs_xt, mixes)
    return replace(examples, taught=TeacherOutputs(draws_vnk, outputs_vnt, known))


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]


def _asking(teacher: Path, info: ModelInfo) -> Callable[[np.ndarray], np.ndarray]:
    """Return the teacher as a function to what is learned: embeddings, logits or their like."""
    answers = _answers(teacher, info)
    if not (isinstance(info.output, Scores) and info.output.activation == "softmax"):
        return answers
    return lambda images_nhwc: np.log(np.maximum(answers(images_nhwc), np.float32(_LEAST)))


def _answers(teacher: Path, info: ModelInfo) -> Callable[[np.ndarray], np.ndarray]:
    """Return the teacher as a function from images ``nhwc``, 0 to 255, to its outputs ``nt``."""
    if info.trainable:
        return outputs_of(model_folder.load(teacher)[0], info)
    program = model_folder.inference(teacher)
    return lambda images_nhwc: program(model_folder.normalize(images_nhwc, info))


def _changing(
    examples: Examples, draws_vnk: Draws, recipe: Recipe
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return images ``bhwc``, 0 to 255, as a function of their views and rows, ``b`` each."""

    @tf.function(autograph=False, reduce_retracing=True)
    def change(images_bhwc: Any, draws_bk: Any, noise: Any) -> Any:
        pixels_bhwc = tf.cast(images_bhwc, tf.float32)
        noise_seed = tf.stack([tf.constant(recipe.seed), noise])
        return augmentation.apply(pixels_bhwc, draws_bk, STRENGTHS[recipe.augment], noise_seed)

    def run(views_b: np.ndarray, rows_b: np.ndarray) -> np.ndarray:
        images_bhwc = np.asarray(examples.images_nhwc[rows_b])
        return change(images_bhwc, draws_vnk[views_b, rows_b], tf.constant(int(views_b[0]))).numpy()

    return run
