"""Decision: what ``select`` found and why, as ``decision.json`` keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.selection.candidates import Budgets
from components.selection.choosing import Goal, Verdict
from components.statistics.bootstrap import Interval

FILE = "decision.json"
SCHEMA = 1


@dataclass(frozen=True)
class Timing:
    """One variant on one device.

    Attributes:
        p50_ms: Median of steady inferences with its interval; None after a crash.
        p90_ms: None when there are too few samples, or after a crash.
        first_ms: The first inference; None after a crash.
        load_ms: Until the model was ready; None after a crash.
        verdict: Whether the measurement can be believed.
        evidence: What the verdict rests on.
    """

    p50_ms: Interval | None
    p90_ms: Interval | None
    first_ms: float | None
    load_ms: float | None
    verdict: Literal["stable", "disturbed", "crashed"]
    evidence: str


@dataclass(frozen=True)
class Result:
    """One variant with all that was measured and what became of it.

    Attributes:
        name: The user's name for it.
        steps: What made it, first to last.
        candidate: Whether it could win.
        sha256: Of its ``.tflite`` file.
        size_bytes: Length of that file.
        gzip_bytes: Its length after gzip.
        parameters: Count of numbers in the weights.
        metric: With its interval; None after a crash.
        metrics: All metrics with their intervals.
        drop: Against the reference, paired; positive is worse.
        latency: By device.
        peak_memory_bytes: Above the runtime's own baseline, the largest of all devices.
        verdict: What became of it.
        on_front: Whether it lies on the Pareto front of size, latency and metric.
        reason: Why, in one sentence.
        excess: By which part its worst budget is missed; 0 when none is.
    """

    name: str
    steps: tuple[Mapping[str, Any], ...]
    candidate: bool
    sha256: str
    size_bytes: int
    gzip_bytes: int
    parameters: int
    metric: Interval | None
    metrics: Mapping[str, Interval]
    drop: Interval | None
    latency: Mapping[str, Timing]
    peak_memory_bytes: int | None
    verdict: Verdict
    on_front: bool
    reason: str
    excess: float


@dataclass(frozen=True)
class NearMiss:
    """A candidate that came close when nobody won.

    Attributes:
        name: The variant.
        excess: By which part its worst budget is missed.
        reason: Which budgets it misses.
    """

    name: str
    excess: float
    reason: str


@dataclass(frozen=True)
class BaselineCheck:
    """The trivial answer to the task beside the reference's.

    Attributes:
        name: What it does, such as "raw-pixel cosine".
        metrics: Name to interval.
        lead: By how much the reference is better, paired.
        reference_above: Whether the reference is better for certain: the lead's whole interval.
        note: That in one sentence.
    """

    name: str
    metrics: Mapping[str, Interval]
    lead: Interval
    reference_above: bool
    note: str


@dataclass(frozen=True)
class Split:
    """The images that decided.

    Attributes:
        name: "selection".
        description: One sentence on what they are.
        n_images: How many.
        n_identities: Identities, or classes, among them.
        resample: What the intervals are over.
        splits: Images of every split that was open, by name.
    """

    name: str
    description: str
    n_images: int
    n_identities: int
    resample: Literal["identity", "image"]
    splits: Mapping[str, int]


@dataclass(frozen=True)
class Machine:
    """A device and how it was used.

    Attributes:
        facts: Its fingerprint.
        runtime: Name and version.
        threads: Of the runtime.
        processes: Fresh processes a variant.
        inferences: Steady inferences a variant, of the one that had fewest.
    """

    facts: Mapping[str, str]
    runtime: str
    threads: int
    processes: int
    inferences: int


@dataclass(frozen=True)
class Decision:
    """The content of ``decision.json``.

    Attributes:
        winner: Name, or None when no candidate keeps every budget.
        reason: Why, in one sentence.
        reference: The variant that drops are taken against.
        task: "verification" or "classification".
        budgets: What had to be kept.
        minimize: What was best among those that keep.
        confidence: Which share all intervals hold.
        resamples: How often was drawn.
        variants: All of them, in the order of the configuration.
        baseline: None when the reference crashed.
        near_misses: Without a winner, nearest first.
        split: What it was decided on.
        devices: By name.
    """

    winner: str | None
    reason: str
    reference: str
    task: str
    budgets: Budgets
    minimize: Goal
    confidence: float
    resamples: int
    variants: tuple[Result, ...]
    baseline: BaselineCheck | None
    near_misses: tuple[NearMiss, ...]
    split: Split
    devices: Mapping[str, Machine]

    @property
    def metric(self) -> str:
        """Name of the metric that counts."""
        return self.budgets.metric

    def result(self, name: str) -> Result:
        """Return the variant called ``name``."""
        return next(result for result in self.variants if result.name == name)

    def scalars(self) -> dict[str, float | str]:
        """Return what a list of runs shows of it: names and numbers."""
        found: dict[str, float | str] = {
            "winner": self.winner or "",
            "candidates": sum(result.candidate for result in self.variants),
            "kept": sum(result.verdict in ("winner", "kept") for result in self.variants),
        }
        if self.winner is None:
            return found
        best = self.result(self.winner)
        found |= {"size_bytes": best.size_bytes, "gzip_bytes": best.gzip_bytes}
        for name, interval in ((self.metric, best.metric), ("drop", best.drop)):
            if interval:
                found |= {name: interval.value}
                found |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
        for device, timing in best.latency.items():
            if timing.p50_ms:
                found[f"p50_ms_{device}"] = timing.p50_ms.value
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {"schema": SCHEMA, "metric": self.metric, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Decision:
        """Read what ``to_json`` gave."""
        return TypeAdapter(cls).validate_python(content)

    def write(self, path: Path) -> None:
        """Write ``decision.json`` into the folder ``path``."""
        path.mkdir(parents=True, exist_ok=True)
        (path / FILE).write_bytes(canonical_json(self.to_json()))

    @classmethod
    def read(cls, path: Path) -> Decision:
        """Read ``decision.json`` from the folder ``path``.

        Raises:
            UserError: There is none, or another version of slimline wrote it.
        """
        file = path / FILE
        if not file.is_file():
            raise UserError(
                f"{path} is no decision: it holds no {FILE}", "give the folder that select wrote"
            )
        content = json.loads(file.read_bytes())
        if content.get("schema") != SCHEMA:
            raise UserError(
                f"{file} was written by another version of slimline", "run select again"
            )
        return cls.from_json(content)
