"""History: what the steps that made a model came to, as briefly as a page can draw it.

It travels inside the Model, from step to step, and ``convert`` writes it into the LiteModel. So
``select``, which reads the LiteModels anyway, can draw training curves and sizes of every path
without one more edge of the graph. Reports of all steps as further inputs would be a list that
grows with variants times steps, in the graph, in Kubeflow's specification and in what every run of
``select`` downloads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

POINTS = 20
"""Of a training at most so many epochs are kept; the report of its step has all."""


@dataclass(frozen=True)
class CurvePoint:
    """One epoch of a training.

    Attributes:
        epoch: From 1.
        loss: Mean over its batches.
        validation: The metric on the validation split, 0 to 1; None when it was not measured.
    """

    epoch: int
    loss: float
    validation: float | None


@dataclass(frozen=True)
class Curve:
    """What a training came to.

    Attributes:
        metric: What validation measures.
        points: Some of its epochs, in order, the first, the last and the kept one among them.
        epochs: How many were run.
        kept: Number of the epoch whose weights were kept; 0 where all were worse than the start.
        augment: How strongly images were changed: ``none``, ``light``, ``medium`` or another word.
        before: The same metric of the model that the training is to come close to, such as the
            one that was pruned; None where there is none.
        lowered_to: The learning rate, where the one that was asked for ruined the network and it
            was trained again at this one; None where it was not.
    """

    metric: str
    points: tuple[CurvePoint, ...]
    epochs: int
    kept: int
    augment: str
    before: float | None = None
    lowered_to: float | None = None


@dataclass(frozen=True)
class LayerError:
    """What quantizing one layer alone does to the answers.

    Attributes:
        layer: Its name.
        error: Root mean square of the difference to the float file, as a share of the spread
            (standard deviation) of its outputs.
        in_float: Whether the file computes it in float for that.
    """

    layer: str
    error: float
    in_float: bool


@dataclass(frozen=True)
class StepFacts:
    """What one step came to.

    Attributes:
        step: Its place among the steps of the Model, from 0.
        parameters: Count of numbers in the weights afterwards.
        curve: Of its training, where it trained.
        layers: Errors of layers, largest first, where they were measured.
    """

    step: int
    parameters: int
    curve: Curve | None = None
    layers: tuple[LayerError, ...] = ()


def thinned(points: Sequence[CurvePoint], kept: int) -> tuple[CurvePoint, ...]:
    """Choose at most ``POINTS`` of the epochs of a training.

    Those that were validated come first, spread evenly; the first, the last and the kept one stay
    in any case. Six digits are kept of every number.

    Args:
        points: All epochs, in order.
        kept: Number of the epoch whose weights were kept; 0 is none of them.
    """
    must = {points[0].epoch, points[-1].epoch, kept} - {0}
    chosen = list(points)
    if len(chosen) > POINTS:
        measured = [point for point in points if point.validation is not None]
        pool = measured if len(measured) > 1 else chosen
        room = POINTS - len(must)
        even = {pool[round(place * (len(pool) - 1) / (room - 1))].epoch for place in range(room)}
        chosen = [point for point in points if point.epoch in must | even]
    return tuple(
        CurvePoint(
            point.epoch,
            _short(point.loss),
            None if point.validation is None else _short(point.validation),
        )
        for point in chosen
    )


def _short(value: float) -> float:
    return float(f"{value:.6g}")
