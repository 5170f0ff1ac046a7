"""How long steps take where no run has told: stated assumptions for 2 cores of a usual computer.

Measured on 2 cores: a step of 32 images of 96 x 96 takes a ResNet50 2.6 s, a MobileNetV2 0.7 s, one
of width 0.35 0.19 s; a step of 512 images of 32 x 32 takes four plain convolutions 0.1 s, and the
teacher of Omniglot, of 18,000 multiply-accumulates a pixel, 0.46 s (docs/omniglot.md).
"""

from __future__ import annotations

from typing import cast

from components.ml.settings import Backbone, Network
from pipelines.config.suggest.situation import Situation
from pipelines.config.suggest.students import Student, plain_macs_per_pixel

_MICROSECONDS_PER_PIXEL = {"resnet50": 8.8, "mobilenet_v2": 2.4, "linear": 0.0}
"""Of a training step, for each pixel of each image, at the usual width; time follows the width."""
_UNKNOWN = 2.4
_PLAIN, _PLAIN_PER_MAC = 0.08, 4.5e-5
"""Of plain convolutions: what a pixel takes anyway, and each multiply-accumulate for it."""
_FORWARD_SHARE = 1 / 3
_STARTING_S = 25.0  # importing TensorFlow and tracing the first step
LEAF_MINUTES = 0.5
"""Convert, evaluate and benchmark one variant."""
QUANTIZING_MINUTES = 0.3


def teacher_minutes(situation: Situation) -> float:
    """Return how long it takes until there is a teacher."""
    if situation.network is None:
        return QUANTIZING_MINUTES
    return _minutes(situation, _teacher_cost(situation) * situation.teacher_epochs)


def tuning_minutes(situation: Situation, epochs: int, student: Student | None) -> float:
    """Return how long it takes to train a network further that there is already.

    Args:
        situation: Of the run.
        epochs: Of the training.
        student: Which network; None for the teacher's.
    """
    cost = _teacher_cost(situation) if student is None else _student_cost(situation, student)
    return _minutes(situation, cost * epochs)


def student_minutes(situation: Situation, student: Student, epochs: int, views: int) -> float:
    """Return how long it takes to distill a student, the teacher's answers included."""
    asked = 0.0 if situation.teacher == "answers" else _teacher_cost(situation) * _FORWARD_SHARE
    return _minutes(situation, _student_cost(situation, student) * epochs + asked * views)


def _minutes(situation: Situation, microseconds_per_pixel: float) -> float:
    pixels = situation.images * situation.height * situation.width
    return (microseconds_per_pixel * pixels / 1e6 + _STARTING_S) / 60


def _teacher_cost(situation: Situation) -> float:
    return _UNKNOWN if situation.network is None else _network_cost(situation, situation.network)


def _network_cost(situation: Situation, network: Network) -> float:
    """Return microseconds of a training step for each pixel of each image."""
    looked_at = 1.0 if network.resolution is None else network.resolution / situation.side
    if network.backbone == "conv":
        per_pixel = _PLAIN + _PLAIN_PER_MAC * plain_macs_per_pixel(situation, network)
        return per_pixel * looked_at**2
    cost = _MICROSECONDS_PER_PIXEL.get(network.backbone, _UNKNOWN)
    return cost * (1.0 if network.backbone == "resnet50" else network.alpha) * looked_at**2


def _student_cost(situation: Situation, student: Student) -> float:
    widths = None if student.widths is None else list(student.widths)
    network = Network(
        backbone=cast("Backbone", student.backbone), alpha=student.alpha or 1.0, widths=widths,
        resolution=student.resolution,
    )  # fmt: skip
    return _network_cost(situation, network)
