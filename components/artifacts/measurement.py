"""The report of ``benchmark``: raw samples of a model on a device, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from signal import SIGILL
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter

from components.artifacts.estimate import CycleEstimate
from components.artifacts.json_file import JsonFile
from components.artifacts.operators import OperatorTimes
from components.artifacts.runner_summary import RunnerSummary
from components.statistics.bootstrap import Interval, quantile

P90_SAMPLES, P99_SAMPLES = 64, 662
"""Fewer samples than this say nothing of the tail: MLPerf LoadGen's floors for early stopping."""

Stability: TypeAlias = Literal["stable", "disturbed", "throttled", "crashed", "killed", "absent"]
"""``throttled``: the device slowed itself down; ``killed``: something else ended the process,
twice, so the model was not measured; ``absent``: measurements were given, and none of this file, or
a runner told no median, so that there is nothing to decide by."""

CRASHED = "crashed: "
"""What stands before the signal in the evidence of a measurement."""


@dataclass(frozen=True)
class Crash:
    """A process that the runtime ended or that refused the model.

    Attributes:
        signal: Number of the signal, or None when the process ended by itself with an error.
        name: Name of the signal such as SIGSEGV, or the last line of the error.
        stderr: The end of what it wrote.
        outside: Whether something else ended it: a signal that no program raises by its own fault,
            a time limit, too little memory. It says nothing of the model.
    """

    signal: int | None
    name: str
    stderr: str
    outside: bool = False

    @property
    def cause(self) -> str:
        """How it ended: ``signal 11 (SIGSEGV)``, or the last line of its error."""
        return self.name if self.signal is None else f"signal {self.signal} ({self.name})"

    @property
    def sentence(self) -> str:
        """The same as evidence of a measurement."""
        if self.outside:
            return f"{self.cause}, twice; not kept: the next run measures it again"
        lacks = ": this CPU lacks what the runtime uses" if self.signal == SIGILL else ""
        return self.cause if self.signal is None else f"{CRASHED}{self.cause}{lacks}"

    @property
    def refused(self) -> bool:
        """Whether the runtime said no, which it would say again."""
        return self.signal is None and not self.outside


@dataclass(frozen=True)
class Block:
    """Samples in a row, with the evidence on whether anything came between.

    Attributes:
        runs: How many.
        wall_ms: Time that passed.
        cpu_ms: Processor time of all threads of the process.
        voluntary_switches: Times a thread waited.
        involuntary_switches: Times a thread was put aside for another process.
        psi_cpu_us: For how long anything on the machine waited for a processor; None where the
            kernel does not say.
        frequency_mhz: Highest clock of the processors after it; None where it cannot be read.
    """

    runs: int
    wall_ms: float
    cpu_ms: float
    voluntary_switches: int
    involuntary_switches: int
    psi_cpu_us: float | None
    frequency_mhz: float | None = None


@dataclass(frozen=True)
class LastingLoad:
    """The model without a pause, in slices of time that are too many for single samples.

    Attributes:
        start_s: When it began, on the clock of that device (CLOCK_MONOTONIC).
        end_s: When it ended.
        inferences: How many there were.
        ends_s: When each slice ended, from the beginning.
        medians_ms: Of each slice.
    """

    start_s: float
    end_s: float
    inferences: int
    ends_s: tuple[float, ...]
    medians_ms: tuple[float, ...]


@dataclass(frozen=True)
class Process:
    """What one fresh process measured.

    Attributes:
        load_ms: From opening the file to allocated tensors.
        first_ms: The first inference.
        warmups: How many inferences then were not counted.
        warmups_ms: How long the first of them took, 250 at most.
        samples_ms: Steady inferences, block after block.
        blocks: How the samples fall into blocks.
        machine: Over all blocks: ``wall_ms``, ``own_cpu_ms``, ``busy_ms`` of all processors, and
            ``stolen_ms`` by other guests of a virtual machine's host.
        baseline_memory_bytes: Resident with the runtime imported and no model; None where nobody
            told.
        peak_memory_bytes: Highest resident size from then until after the warm-up; None likewise.
        peak_was_reset: False where the kernel does not let the peak be counted from there.
        delegate_partitions: Pieces of the model that the delegate runs; None where unknown.
        imported: Modules loaded beside Python's own.
        python: Version.
        reference_ms_before: What a fixed loop of integers took, which no model has part in, before
            the model was loaded; None where it was not run.
        reference_ms_after: The same after the last block.
        cores: Numbers of the processors that it was bound to; empty where it was not.
        lasting: What came after the last block, where that was asked for.
        runner: What a ``benchmark_model`` told of it, which gives no samples, no blocks and no
            baseline; None where slimline itself has measured.
    """

    load_ms: float
    first_ms: float
    warmups: int
    warmups_ms: tuple[float, ...]
    samples_ms: tuple[float, ...]
    blocks: tuple[Block, ...]
    machine: Mapping[str, float]
    baseline_memory_bytes: int | None
    peak_memory_bytes: int | None
    peak_was_reset: bool
    delegate_partitions: int | None
    imported: tuple[str, ...]
    python: str
    reference_ms_before: float | None = None
    reference_ms_after: float | None = None
    cores: tuple[int, ...] = ()
    lasting: LastingLoad | None = None
    runner: RunnerSummary | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Process:
        """Read what a report keeps, which is what the probe printed and a few keys more."""
        known: dict[str, Any] = {
            field.name: content[field.name]
            for field in fields(cls)
            if field.name in content or field.default is MISSING
        }
        for name in {"warmups_ms", "samples_ms", "imported", "cores"} & known.keys():
            known[name] = tuple(known[name])
        known["blocks"] = tuple(Block(**block) for block in known["blocks"])
        if lasting := known.get("lasting"):
            known["lasting"] = TypeAdapter(LastingLoad).validate_python(lasting)
        if runner := known.get("runner"):
            known["runner"] = TypeAdapter(RunnerSummary).validate_python(runner)
        return cls(**known)

    @property
    def p50_ms(self) -> float:
        """Median of the steady samples; of a runner that tells none, their mean."""
        if told := self.runner:
            return told.mean_ms if told.median_ms is None else told.median_ms
        return quantile(np.array(self.samples_ms), 0.5)

    @property
    def memory_bytes(self) -> int | None:
        """Peak above the baseline; None where nobody told."""
        if self.runner:
            return self.runner.footprint_bytes
        if self.peak_memory_bytes is None or self.baseline_memory_bytes is None:
            return None
        return self.peak_memory_bytes - self.baseline_memory_bytes

    @property
    def blocks_p50_ms(self) -> tuple[float, ...]:
        """Median of each block; nothing of a runner, which tells of none."""
        if not self.blocks:
            return ()
        ends = np.cumsum([block.runs for block in self.blocks])[:-1]
        return tuple(quantile(part, 0.5) for part in np.split(np.array(self.samples_ms), ends))


@dataclass(frozen=True)
class Summary:
    """What follows from the samples of all processes.

    Attributes:
        samples: How many steady ones.
        load_ms: Median over the processes; None where nobody told.
        first_ms: Median over the processes; None where nobody told.
        p50_ms: Median of the steady samples with its interval.
        p90_ms: None below ``P90_SAMPLES``.
        p99_ms: None below ``P99_SAMPLES``.
        spread_ms: Between the medians of the fastest and the slowest process.
        peak_memory_bytes: Above the runtime's baseline, the largest of all processes; None where
            nobody told.
        load_high_ms: The slowest load of any process; None where nobody told, and in reports of
            earlier versions.
    """

    samples: int
    load_ms: float | None
    first_ms: float | None
    p50_ms: Interval
    p90_ms: Interval | None
    p99_ms: Interval | None
    spread_ms: float
    peak_memory_bytes: int | None
    load_high_ms: float | None = None


@dataclass(frozen=True)
class States:
    """How a device was before and after a process: temperature, clock, load and so on.

    Attributes:
        before: What could be read as it was about to begin; ``denied`` where reading is refused.
        after: The same when it had ended.
    """

    before: Mapping[str, float | str]
    after: Mapping[str, float | str]


@dataclass(frozen=True)
class MeasuredDevice:
    """Where it was measured.

    Attributes:
        name: As in the configuration.
        fingerprint: What makes two measurements comparable.
        states: Of every process of the last attempt, those that died included.
        kind: ``host``, ``ssh``, ``adb`` and so on.
        id: Digest of its serial number or machine-id; empty where it has none.
        transport: How it was reached; ``none`` for this machine.
    """

    name: str
    fingerprint: Mapping[str, str]
    states: tuple[States, ...] = ()
    kind: str = "host"
    id: str = ""
    transport: str = "none"


@dataclass(frozen=True)
class Acceleration:
    """What runs the model besides the processor's plain kernels.

    Attributes:
        asked: ``cpu``, ``gpu`` or ``npu``.
        got: What the runtime took in fact.
        evidence: How that is known.
    """

    asked: str
    got: str
    evidence: str


@dataclass(frozen=True)
class Sustained:
    """The same model without a pause, as heat builds up.

    Attributes:
        seconds: How long it ran; 0 where it did not come to its end.
        first_p50_ms: Median of the first fifth, of five minutes the first, with its interval.
        p50_ms: Of the last fifth.
        why_not: Why neither is known; empty where they are.
    """

    seconds: float
    first_p50_ms: Interval | None
    p50_ms: Interval | None
    why_not: str = ""


@dataclass(frozen=True)
class Energy:
    """What an inference takes.

    Attributes:
        scope: What the sensor sees: ``CPU package``, ``board``, ``whole phone``.
        mj_per_inference: Above the idle device, millijoules with its interval; None where it is
            not known.
        why_not: Why it is not known; empty where it is.
    """

    scope: str
    mj_per_inference: Interval | None
    why_not: str


@dataclass(frozen=True)
class Attempt:
    """One try at measuring in peace.

    Attributes:
        verdict: What became of it.
        evidence: Why, in one sentence with numbers.
    """

    verdict: Stability
    evidence: str


@dataclass(frozen=True)
class Measurement(JsonFile):
    """The content of ``benchmark.json``.

    Attributes:
        device: Where.
        threads: Of the runtime.
        model_sha256: Of ``model.tflite``.
        size_bytes: Its length.
        gzip_bytes: Its length after gzip.
        runtime: ``name`` and ``version``; ``source`` (``wheel``, ``bundle`` or ``runner``) and
            ``sha256`` of what was brought.
        processes: The raw samples, of the last attempt.
        attempts: All of them; the last one counts.
        crashed: How the process ended that did not print a document, nor did a fresh one in its
            place; None when all did.
        summary: Derived from the samples; None after a crash, where no measurement was given, and
            of a microcontroller, whose time is not measured.
        accelerator: What ran it; None in reports of earlier versions.
        sustained: Under load that lasts; None where that was not asked for.
        energy: What an inference takes; None where that was not asked for.
        operators: Where its time goes; None where that was not asked for.
        notes: What a reader of its numbers must know, one sentence each.
        given: Who measured, where it was not slimline; empty where it was.
        arena_bytes: Memory for tensors on a microcontroller; None on other devices.
        flash_bytes: Of the model as a firmware holds it; None on other devices.
        estimate: What a program reckons an accelerator would take, which is no measurement; None
            where that was not asked for.
        unit: Of all samples.
    """

    FILE: ClassVar[str] = "benchmark.json"
    SCHEMA: ClassVar[int] = 2
    KIND: ClassVar[str] = "measurement"
    FIX_ABSENT: ClassVar[str] = "give the report of benchmark"
    FIX_VERSION: ClassVar[str] = "run benchmark again"

    device: MeasuredDevice
    threads: int
    model_sha256: str
    size_bytes: int
    gzip_bytes: int
    runtime: Mapping[str, str]
    processes: tuple[Process, ...]
    attempts: tuple[Attempt, ...]
    crashed: Crash | None
    summary: Summary | None
    accelerator: Acceleration | None = None
    sustained: Sustained | None = None
    energy: Energy | None = None
    operators: OperatorTimes | None = None
    notes: tuple[str, ...] = ()
    given: str = ""
    arena_bytes: int | None = None
    flash_bytes: int | None = None
    estimate: CycleEstimate | None = None
    unit: str = "ms"

    @classmethod
    def upgraded(cls, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a report of schema 1, which knew one device and its state at both ends, as 2."""
        if content.get("schema") != 1:
            return content
        device = dict(content["device"])
        states = [{"before": device.pop("before"), "after": device.pop("after")}]
        return {**content, "schema": cls.SCHEMA, "device": {**device, "states": states}}

    @property
    def verdict(self) -> Stability:
        """Whether the last attempt can be believed."""
        return self.attempts[-1].verdict

    @property
    def evidence(self) -> str:
        """What the verdict rests on."""
        return self.attempts[-1].evidence

    @property
    def cores(self) -> tuple[int, ...]:
        """Numbers of the processors that its processes were bound to; empty where they were not."""
        return self.processes[0].cores if self.processes else ()

    @property
    def heat_c(self) -> tuple[float, float] | None:
        """Hottest zone before the first process and the highest reading; None where unreadable."""
        readings = [each for pair in self.device.states for each in (pair.before, pair.after)]
        found = [each.get("temperature_c") for each in readings]
        known = [float(each) for each in found if isinstance(each, int | float)]
        return (known[0], max(known)) if known else None

    @property
    def end_heat_c(self) -> float | None:
        """Hottest zone after the last process; None where unreadable."""
        states = self.device.states
        end = states[-1].after.get("temperature_c") if states else None
        return float(end) if isinstance(end, int | float) else None

    @property
    def clock_mhz(self) -> tuple[float, float] | None:
        """Lowest and highest clock after a block; None where unreadable."""
        blocks = [block for process in self.processes for block in process.blocks]
        known = [block.frequency_mhz for block in blocks if block.frequency_mhz is not None]
        return (min(known), max(known)) if known else None

    @property
    def delegate_partitions(self) -> int | None:
        """Pieces of the model that the delegate runs; None where unknown."""
        return self.processes[0].delegate_partitions if self.processes else None

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            **super().to_json(),
            "verdict": self.verdict,
            "evidence": self.evidence,
            "delegate_partitions": self.delegate_partitions,
        }
