"""Decision: what ``select`` found and why, as ``decision.json`` keeps it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from components.artifacts.budgets import Budgets
from components.artifacts.data_use import DataUse
from components.artifacts.estimate import CycleEstimate
from components.artifacts.group_result import GroupResult
from components.artifacts.json_file import JsonFile
from components.artifacts.measurement import (
    CRASHED,
    Acceleration,
    Energy,
    Stability,
    Sustained,
)
from components.artifacts.operators import OperatorTimes
from components.contract.types import Unit
from components.statistics.bootstrap import Interval
from components.statistics.one_shot import OneShotTask

Verdict: TypeAlias = Literal[
    "winner", "kept", "over-budget", "undecided", "failed", "comparison", "reference"
]
Goal: TypeAlias = Literal["size", "latency"]


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
        peak_memory_bytes: Above the baseline of the runtime alone; None where it is unknown.
        heat_c: Hottest zone as it began and the highest that was read, degrees Celsius; None where
            they cannot be read.
        clock_mhz: Lowest and highest clock that was read after a block; None likewise.
        cores: Numbers of the processors that it was bound to; empty where it was not.
        partitions: Pieces of the model that the delegate runs; None where that is unknown.
        sustained: Under load that lasts; None where that was not asked for.
        energy: What an inference takes; None where that was not asked for.
        given: Who measured, where it was not slimline; empty where it was.
        arena_bytes: Memory for tensors on a microcontroller, whose time is not measured; None on
            other devices.
        flash_bytes: Of the model as a firmware holds it; None on other devices.
        operators: The kinds of operators that take most of it, and all others as one; None where
            that was not asked for.
        notes: What a reader of its numbers must know, one sentence each.
        load_high_ms: The slowest load of any process; None in decisions of earlier versions.
        end_heat_c: Hottest zone after the last process, degrees Celsius; None where unreadable.
        runtime: Name and version of what ran it, and what brought it there; empty in decisions of
            earlier versions.
        accelerator: What ran it besides plain kernels, and how that is known; None likewise.
        estimate: What a program reckons an accelerator would take: no measurement, and nothing
            rests on it; None where that was not asked for.
    """

    p50_ms: Interval | None
    p90_ms: Interval | None
    first_ms: float | None
    load_ms: float | None
    verdict: Stability
    evidence: str
    peak_memory_bytes: int | None = None
    heat_c: tuple[float, float] | None = None
    clock_mhz: tuple[float, float] | None = None
    cores: tuple[int, ...] = ()
    partitions: int | None = None
    sustained: Sustained | None = None
    energy: Energy | None = None
    given: str = ""
    arena_bytes: int | None = None
    flash_bytes: int | None = None
    operators: OperatorTimes | None = None
    notes: tuple[str, ...] = ()
    estimate: CycleEstimate | None = None
    load_high_ms: float | None = None
    end_heat_c: float | None = None
    runtime: str = ""
    accelerator: Acceleration | None = None

    @property
    def slowest_load_ms(self) -> float | None:
        """The slowest load that is known of; None where no load is."""
        return self.load_ms if self.load_high_ms is None else self.load_high_ms

    @property
    def short_evidence(self) -> str:
        """What a reason quotes: the first part of the evidence, or how the process ended."""
        if self.verdict == "crashed":
            return self.evidence.removeprefix(CRASHED)
        return self.evidence.partition(";")[0]


@dataclass(frozen=True)
class Candidate:
    """One variant as it was measured and, once the choice is made, what became of it.

    Before the choice its verdict is ``undecided``, with a reason where something else ended its
    evaluation; or ``failed``, with the reason, where it cannot be used at all, whatever was
    measured.

    Attributes:
        name: The user's name for it, or ``teacher``.
        steps: What made it, first to last, with the parameters that matter.
        candidate: Whether it could win.
        sha256: Of its ``.tflite`` file; None, as are the next three, of a reference that is known
            by its answers alone.
        size_bytes: Length of the file.
        gzip_bytes: Length of the file after gzip.
        parameters: Count of numbers in the weights.
        metric: ``value``, ``low`` and ``high`` on the selection split; None after a crash.
        metrics: The same of every metric, by name.
        drop: The same of the paired loss against the teacher; positive is worse; None after a crash
            of one of the two.
        latency: By device ``p50_ms`` (value, low, high), ``verdict`` and ``evidence``; and what
            else it told, null where it did not: ``load_ms`` and its slowest ``load_high_ms``,
            ``first_ms``, ``peak_memory_bytes``, ``energy``, ``arena_bytes``, ``flash_bytes``.
        peak_memory_bytes: Above the baseline of the runtime alone, the largest of all devices.
        verdict: ``winner``, ``kept``, ``over-budget``, ``undecided``, ``failed``, ``comparison``
            (what others are compared with, and no candidate), ``reference``.
        on_front: Whether it lies on the Pareto front of size, latency and metric.
        reason: Why it got its verdict, in one sentence.
        excess: By which part its worst budget is missed; 0 when none is.
        groups: For each group of images ``n_images``, ``n_identities``, ``metrics`` and what is
            ``unmeasured`` with the reason; empty where the data tells of none.
        lead: ``value``, ``low`` and ``high`` of how far it is ahead of the trivial answer, paired;
            None after a crash.
        warnings: What a reader must know of its file, one sentence each.
        control: Name of the variant that is its control, where it has one.
        gain: ``value``, ``low`` and ``high`` of how much better its metric is than its control's,
            paired; None without a control and after a crash.
    """

    name: str
    steps: tuple[Mapping[str, Any], ...]
    candidate: bool
    sha256: str | None
    size_bytes: int | None
    gzip_bytes: int | None
    parameters: int | None
    metric: Interval | None
    metrics: Mapping[str, Interval]
    drop: Interval | None
    latency: Mapping[str, Timing]
    peak_memory_bytes: int | None
    verdict: Verdict = "undecided"
    on_front: bool = False
    reason: str = ""
    excess: float = 0.0
    groups: Mapping[str, GroupResult] = field(default_factory=dict[str, GroupResult])
    lead: Interval | None = None
    warnings: tuple[str, ...] = ()
    control: str | None = None
    gain: Interval | None = None

    @property
    def leads(self) -> bool:
        """Whether nothing shows that it may be no better than the trivial answer."""
        return self.lead is None or self.lead.low > 0

    @property
    def file_bytes(self) -> int:
        """Length of the file of a variant that has one: all but a reference known by answers."""
        assert self.size_bytes is not None, f"{self.name} has no file"
        return self.size_bytes

    @property
    def slowest_ms(self) -> float:
        """Upper end of the median's interval on the slowest device; infinite when unknown.

        A microcontroller has no time that could be.
        """
        timed = [item for item in self.latency.values() if item.p50_ms or item.arena_bytes is None]
        ends = [item.p50_ms.high if item.p50_ms else math.inf for item in timed]
        return max(ends, default=math.inf)


@dataclass(frozen=True)
class RankingDifference:
    """Two variants of which one is the faster on some devices and the other one on others.

    A variant counts as faster where the intervals of the medians do not overlap and the slower one
    was stable: other load only slows.

    Attributes:
        one: Name of a variant.
        other: Name of another one.
        one_faster: Devices where the first is faster for certain.
        other_faster: Devices where the second is.
    """

    one: str
    other: str
    one_faster: tuple[str, ...]
    other_faster: tuple[str, ...]


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
        one_shot: The one-shot trials on them; None where there are none.
        unmeasured: Metrics that they cannot give, each with the reason.
    """

    name: str
    description: str
    n_images: int
    n_identities: int
    resample: Unit
    splits: Mapping[str, int]
    one_shot: OneShotTask | None = None
    unmeasured: Mapping[str, str] = field(default_factory=dict[str, str])


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
class Decision(JsonFile):
    """The content of ``decision.json``.

    Attributes:
        winner: Name of the winner, or None when no candidate keeps every budget.
        reason: Why, in one sentence.
        reference: The variant that drops are taken against.
        task: ``verification`` or ``classification``.
        budgets: What had to be kept: ``metric``, ``drop``, ``size_mb``; ``latency_ms`` and the
            other numbers of devices, and ``by_device`` those of one device alone; floors
            ``at_least``, and ``per`` what they hold for.
        minimize: What was best among those that keep: ``size`` or ``latency``.
        confidence: Coverage of all intervals.
        resamples: How often was drawn.
        variants: All of them, in the order of the configuration.
        baseline: ``name``, ``metrics``, ``lead`` and ``note`` of the trivial answer; None when the
            reference crashed.
        near_misses: Without a winner, ``name``, ``excess`` and ``reason``, nearest first.
        split: What it was decided on.
        devices: By name.
        images: ``images`` of the data, how many of them are ``used``, what is ``left_out`` by
            ``reason`` with ``examples``, and ``warnings``; None where ingest said nothing of it.
        notes: What else a reader must know: an undertrained teacher, a winner that the trivial
            answer may equal, groups that could not be measured.
        next_steps: Without a winner, what to try next, and why; the likeliest help first.
        ranking_differences: Variants whose order differs between devices, for certain; None where
            fewer than two devices timed anything, and in decisions of earlier versions.
    """

    FILE: ClassVar[str] = "decision.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "decision"
    FIX_ABSENT: ClassVar[str] = "give the folder that select wrote"
    FIX_VERSION: ClassVar[str] = "run select again"

    winner: str | None
    reason: str
    reference: str
    task: str
    budgets: Budgets
    minimize: Goal
    confidence: float
    resamples: int
    variants: tuple[Candidate, ...]
    baseline: BaselineCheck | None
    near_misses: tuple[NearMiss, ...]
    split: Split
    devices: Mapping[str, Machine]
    images: DataUse | None = None
    notes: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    ranking_differences: tuple[RankingDifference, ...] | None = None

    @property
    def metric(self) -> str:
        """Name of the metric that counts."""
        return self.budgets.metric

    def variant(self, name: str) -> Candidate:
        """Return the variant called ``name``."""
        return next(one for one in self.variants if one.name == name)

    def scalars(self) -> dict[str, float | str]:
        """Return what a list of runs shows of it: names and numbers."""
        found: dict[str, float | str] = {
            "winner": self.winner or "",
            "candidates": sum(one.candidate for one in self.variants),
            "kept": sum(one.verdict in ("winner", "kept") for one in self.variants),
        }
        if self.winner is None:
            return found
        best = self.variant(self.winner)
        assert best.gzip_bytes is not None, f"{best.name} won without a file"
        found |= {"size_bytes": best.file_bytes, "gzip_bytes": best.gzip_bytes}
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
        return {**super().to_json(), "metric": self.metric}
