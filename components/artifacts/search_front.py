"""The report of ``search``: the architectures that were tried, and the front of the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from components.artifacts.json_file import JsonFile


@dataclass(frozen=True)
class TrainedFor:
    """What an architecture came to after a training of one length.

    Attributes:
        steps: Length, count.
        metric: On the validation split, 0 to 1.
        fault: Why the training came apart; None where it did not.
    """

    steps: int
    metric: float
    fault: str | None = None


@dataclass(frozen=True)
class Architecture:
    """One network that keeps the budgets of size and latency, as far as can be predicted.

    Attributes:
        name: Its settings in short, each different.
        network: Its settings, as ``Network`` has them.
        embedding: Numbers in its embedding; None for classification.
        counts: What it computes and holds.
        latency_ms: Predicted, by device.
        size_bytes: Predicted.
        trainings: What it came to, the shortest training first.
        on_front: Whether no other that was trained as long beats it in metric, latency and size
            at once.
        keeps_drop: Whether its metric is no further below the teacher's than the budget; None
            where there is no teacher, or where it was not trained to the end.
    """

    name: str
    network: Mapping[str, Any]
    embedding: int | None
    counts: Mapping[str, int]
    latency_ms: Mapping[str, float]
    size_bytes: float
    trainings: tuple[TrainedFor, ...]
    on_front: bool
    keeps_drop: bool | None

    @property
    def metric(self) -> float:
        """Of its longest training."""
        return self.trainings[-1].metric

    @property
    def slowest_ms(self) -> float:
        """Predicted on the device where it is slowest."""
        return max(self.latency_ms.values())


@dataclass(frozen=True)
class PredictionError:
    """How far predictions of one device can be believed.

    Attributes:
        samples: Networks that were timed, count.
        latency_error: Median relative error of a network left out.
        latency_rank: Rank correlation of these predictions.
        size_error: Median relative error of sizes.
    """

    samples: int
    latency_error: float
    latency_rank: float
    size_error: float


@dataclass(frozen=True)
class SearchFront(JsonFile):
    """The content of ``front.json``.

    Attributes:
        metric: What the validation split is measured by.
        teacher: The teacher's metric there; None where there is none.
        drop: Largest allowed drop against it.
        size_bytes: The budget; None for no limit.
        latency_ms: The budget; None for no limit.
        scheme: In which precision sizes and times are predicted.
        errors: By device how far they can be believed; budgets were tightened by these errors.
        steps: Lengths of the trainings, count.
        asked: Proposals of the sampler, count.
        outside: Of these, networks outside the budgets, which were never trained, count.
        repeated: Of these, networks that had been proposed before, count.
        architectures: All that were trained, the smallest first.
        chosen: Name of the one that ``distill`` takes.
        why: The reason, a sentence.
    """

    FILE: ClassVar[str] = "front.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "report of a search"
    FIX_ABSENT: ClassVar[str] = "give the report of search"
    FIX_VERSION: ClassVar[str] = "run search again"

    metric: str
    teacher: float | None
    drop: float
    size_bytes: int | None
    latency_ms: float | None
    scheme: str
    errors: Mapping[str, PredictionError]
    steps: tuple[int, ...]
    asked: int
    outside: int
    repeated: int
    architectures: tuple[Architecture, ...]
    chosen: str
    why: str

    @property
    def front(self) -> tuple[Architecture, ...]:
        """The architectures on the front, the smallest first."""
        return tuple(one for one in self.architectures if one.on_front)

    @property
    def taken(self) -> Architecture:
        """The one that ``distill`` takes."""
        return next(one for one in self.architectures if one.name == self.chosen)
