"""Students by size: the network whose int8 file takes about so many bytes, counted beforehand.

An int8 file holds a byte for each weight, 28 bytes for each channel (bias, scales, zero points) and
some thousand bytes of everything else. It is counted before equal vectors are shared, which makes
files up to a third smaller: what is counted to fit does fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

from components.ml.settings import Network
from pipelines.config.suggest.situation import Situation

SMALL_SIDE = 64
"""Up to so many pixels plain convolutions give the most for a byte: a depthwise channel has 9 bytes
of weights and 28 of quantization, and trains two to three times as slowly on a CPU."""

_CHANNEL_BYTES = 28
_PLAIN_REST, _MOBILENET_REST = 4_700, 40_000
"""Bytes of a file besides weights and channels; each layer and its names take some hundred."""

_SHARES = {2: (1, 2), 3: (1, 2, 3), 4: (1, 2, 3, 3), 5: (1, 2, 3, 4, 4)}
"""Widths of the blocks against the first, by how many blocks there are."""
_STEP, _FIRST_MOST = 4, 96
_LAST_MAP = 2  # pixels at which blocks stop to halve
_USUAL, _HALVED_ABOVE = 32, 32  # first width of conv at alpha 1; sides that its first block halves

MOBILENET_V2 = {
    0.1: (78_704, 3_616),
    0.2: (180_192, 5_000),
    0.35: (381_760, 7_040),
    0.5: (668_848, 9_272),
    0.75: (1_328_352, 13_320),
    1.0: (2_189_184, 17_056),
}
"""By alpha the weights and channels of MobileNetV2 before its last dense layer, grey images."""
_MOBILENET_LAST = 1_280
_RESNET50 = (23_454_912, 26_560)


@dataclass(frozen=True)
class Student:
    """A network, as ``distill`` builds it.

    Attributes:
        backbone: Of ``distill``.
        widths: Of conv.
        alpha: Of mobilenet_v2.
        resolution: Pixels of the shorter side that it looks at; None takes all.
        embedding: Numbers in the embedding; None for a classifier.
        int8_bytes: What its int8 file takes at most.
    """

    backbone: str
    widths: tuple[int, ...] | None
    alpha: float | None
    resolution: int | None
    embedding: int | None
    int8_bytes: int

    @property
    def parameters(self) -> dict[str, object]:
        """What ``distill`` is given; 1x1 convolutions are dense, so that 4-bit weights run fast."""
        given: dict[str, object] = {"backbone": self.backbone}
        if self.widths is not None:
            given |= {"widths": list(self.widths), "head": "depthwise"}
        else:
            given |= {"alpha": self.alpha, "pointwise": "dense"}
        if self.resolution is not None:
            given["resolution"] = self.resolution
        if self.embedding is not None:
            given["embedding"] = self.embedding
        return given


def student_of(situation: Situation, size_bytes: float) -> Student:
    """Return the largest student whose int8 file takes at most so many bytes, or the smallest.

    Args:
        situation: Of image and task.
        size_bytes: Of the file.
    """
    if situation.side > SMALL_SIDE:
        embedding = _embedding(situation, 128)
        fitting = [
            alpha
            for alpha in MOBILENET_V2
            if _mobilenet_bytes(alpha, embedding or situation.outputs) <= size_bytes
        ]
        if fitting:
            alpha = max(fitting)
            taken = _mobilenet_bytes(alpha, embedding or situation.outputs)
            return Student("mobilenet_v2", None, alpha, None, embedding, taken)
    resolution = SMALL_SIDE if situation.side > SMALL_SIDE else None
    made = [_plain(situation, first, resolution) for first in range(_STEP, _FIRST_MOST + 1, _STEP)]
    return max(
        (student for student in made if student.int8_bytes <= size_bytes),
        key=lambda student: student.int8_bytes,
        default=made[0],
    )


def network_bytes(situation: Situation, network: Network) -> int | None:
    """Return about what the int8 file of a network takes; None of one that is not counted here.

    Args:
        situation: Of image and outputs.
        network: Such as the teacher.
    """
    if network.backbone == "resnet50":
        weights, channels = _RESNET50
        return weights + 2_048 * situation.outputs + _CHANNEL_BYTES * channels + _MOBILENET_REST
    if network.backbone == "mobilenet_v2":
        nearest = min(MOBILENET_V2, key=lambda alpha: abs(alpha - network.alpha))
        return _mobilenet_bytes(nearest, situation.outputs)
    if network.backbone == "conv":
        return _conv_bytes(situation, network)
    return None


def _conv_bytes(situation: Situation, network: Network) -> int:
    """Count conv as a teacher has it: of given widths, or of those that alpha means."""
    widths = list(network.widths or _usual_widths(situation.side, network.alpha))
    shape = (situation.height, situation.width)
    return _plain_bytes(widths, situation.outputs, shape, situation.channels)


def _usual_widths(side: int, alpha: float) -> list[int]:
    """Return the channels of each block of conv where ``alpha`` says how wide they are."""
    side = side // 2 if side > _HALVED_ABOVE else side
    times = [1, *(2 if number == 0 else 4 for number in range(ceil(log2(max(4, side) / 4))))]
    return [_multiple(_USUAL * alpha * each) for each in (*times, times[-1])]


def plain_macs_per_pixel(situation: Situation, network: Network) -> float:
    """Return the multiply-accumulates of conv for each pixel that it looks at.

    Args:
        situation: Of the images.
        network: Plain convolutions: their widths or alpha, stem, residuals and depth.
    """
    side = network.resolution or situation.side
    widths = network.widths or _usual_widths(side, network.alpha)
    last = len(widths) - 1
    if network.widths is None:  # where alpha says it, the last block leaves the map as it is
        whole = {0 if side <= _HALVED_ABOVE else last, last}
    else:
        whole = {0} if network.stem == "full" else set[int]()
    residuals = network.residuals or [0] * len(widths)
    macs, share, entered = 0.0, 1.0, situation.channels
    for place, (channels, added) in enumerate(zip(widths, residuals, strict=True)):
        if place not in whole and side > _LAST_MAP:
            side, share = ceil(side / 2), share / 4
        more = max(1, round(network.depth)) - 1 + added
        macs += 9 * share * channels * (entered + more * channels)
        entered = channels
    return macs


def _plain(situation: Situation, first: int, resolution: int | None) -> Student:
    ratio = 1.0 if resolution is None else resolution / situation.side
    height, width = (round(ratio * side) for side in (situation.height, situation.width))
    blocks = min(5, max(2, ceil(log2(max(4, min(height, width)) / _LAST_MAP))))
    widths = tuple(_multiple(first * share) for share in _SHARES[blocks])
    embedding = _embedding(situation, _multiple(2 * max(widths)))
    taken = _plain_bytes(
        widths, embedding or situation.outputs, (height, width), situation.channels
    )
    return Student("conv", widths, None, resolution, embedding, taken)


def _plain_bytes(widths: Sequence[int], outputs: int, map_hw: tuple[int, int], entered: int) -> int:
    """Count what an int8 file of plain 3 x 3 convolutions with a depthwise head takes."""
    weights, (height, width) = 0, map_hw
    for channels in widths:
        weights += 9 * entered * channels
        if min(height, width) > _LAST_MAP:
            height, width = ceil(height / 2), ceil(width / 2)
        entered = channels
    weights += height * width * entered + entered * outputs
    return weights + _CHANNEL_BYTES * (sum(widths) + entered + outputs) + _PLAIN_REST


def _mobilenet_bytes(alpha: float, outputs: int) -> int:
    weights, channels = MOBILENET_V2[alpha]
    weights += _MOBILENET_LAST * outputs
    return weights + _CHANNEL_BYTES * (channels + outputs) + _MOBILENET_REST


def _embedding(situation: Situation, most: int) -> int | None:
    """Return how many numbers a student's embedding has, at most those of its teacher's."""
    if situation.task == "classification":
        return None
    return min(most, situation.outputs) if situation.teacher == "trained" else most


def _multiple(channels: float) -> int:
    return max(_STEP, round(channels / _STEP) * _STEP)
