"""The report of ``evaluate``: what a model answered on a split, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from components.artifacts.group_result import GroupResult
from components.artifacts.json_file import JsonFile
from components.artifacts.measurement import Crash
from components.artifacts.pair_list import PairListResult
from components.contract.types import Task, Unit
from components.statistics.bootstrap import Interval
from components.statistics.one_shot import OneShotTask

OUTPUTS = "outputs.npy"
LABELS = "labels.npy"
GROUPS = "groups.npy"
RESAMPLED = "resampled.npy"
"""Every metric on every resample: float64, m x r, metrics in the order of their names."""
HISTOGRAM = "histogram.json"
CONFUSIONS = "confusions.csv"


@dataclass(frozen=True)
class Baseline:
    """What no learning reaches on the same split: a weak teacher makes every drop look small.

    Attributes:
        name: "raw-pixel cosine" or "majority class".
        metrics: As of the model.
        lead: By how much the model is better, paired: an interval above 0 is a model that learned.
            Empty after a crash.
        threshold: Verification: where its accuracy is read.
        majority: Classification: the class that it always gives.
        pairs: What it reaches on the pairs that the user lists, where there are some.
    """

    name: str
    metrics: Mapping[str, Interval]
    lead: Mapping[str, Interval]
    threshold: float | None = None
    majority: str | None = None
    pairs: PairListResult | None = None


@dataclass(frozen=True)
class Evaluation(JsonFile):
    """The content of ``evaluation.json``.

    Attributes:
        task: What the labels are for.
        split: What it was evaluated on.
        description: One sentence: what the split consists of.
        splits: Images of every split of the dataset, by name.
        n_images: Images of the split.
        n_identities: Identities, or classes, that occur in it.
        classes: Classification: what the columns of ``outputs.npy`` are and the labels index;
            empty in verification.
        resample: What the intervals were resampled over.
        primary: The metric that leads where nobody chose one.
        metrics: By name; empty after a crash.
        threshold: Verification: accept a pair at this cosine or above; chosen on validation, None
            where there is no such split. None in classification.
        baseline: The trivial one on the same split.
        confidence: Of all intervals, 0 to 1.
        crashed: How the model's process ended, or None when it answered.
        one_shot: Verification: the one-shot trials, equal for every model; None where there are
            none.
        unmeasured: Metrics of the task that do not exist on this split, each with the reason.
        pairs: What the model reaches on the pairs that the user lists; None where there are none,
            and after a crash.
        groups: The same metrics for each group of images (a site, a camera, an alphabet), by name;
            absent where the data tells of none, and after a crash.
        ungrouped: Images that belong to no group; absent like the groups.
        draws: Digest of the draws behind ``resampled.npy``: where two are equal, resamples are
            paired. Empty after a crash, and in reports of earlier versions.
    """

    FILE: ClassVar[str] = "evaluation.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "evaluation"
    FIX_ABSENT: ClassVar[str] = "give the report of evaluate"
    FIX_VERSION: ClassVar[str] = "run evaluate again"

    task: Task
    split: str
    description: str
    splits: Mapping[str, int]
    n_images: int
    n_identities: int
    classes: tuple[str, ...]
    resample: Unit
    primary: str
    metrics: Mapping[str, Interval]
    threshold: float | None
    baseline: Baseline
    confidence: float
    crashed: Crash | None = None
    one_shot: OneShotTask | None = None
    unmeasured: Mapping[str, str] = field(default_factory=dict[str, str])
    pairs: PairListResult | None = None
    groups: Mapping[str, GroupResult] = field(default_factory=dict[str, GroupResult])
    ungrouped: int = 0
    draws: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        content = {**super().to_json(), "opened": self.split}
        if not self.groups:
            del content["groups"], content["ungrouped"]
        return content
