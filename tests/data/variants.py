"""Small trees of variants as convert, evaluate and benchmark write them, without a model in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.evaluation import HISTOGRAM, LABELS, OUTPUTS, Baseline, Evaluation
from components.artifacts.group_result import GroupResult
from components.artifacts.lite_model import Affine, LiteInput, LiteModelInfo, LiteOutput
from components.artifacts.making import Making
from components.artifacts.measurement import (
    Attempt,
    Block,
    Crash,
    MeasuredDevice,
    Measurement,
    Process,
    Summary,
)
from components.contract.digests import canonical_json
from components.statistics.bootstrap import Interval
from components.statistics.metrics import PRIMARY, drop, estimate, sample_of
from components.statistics.verification import Pairs

IDENTITIES, IMAGES, SIZE = 12, 6, 8
CLASSES = ("ankle boot", "bag", "coat", "dress", "shirt")


@dataclass(frozen=True)
class Variant:
    """What to write for one variant.

    ``noise`` decides how well it answers; ``constant`` makes it answer the same to everything;
    ``crashed`` and ``benchmark_crashed`` name a signal that ended it; ``making`` says how it came
    about.
    """

    name: str
    noise: float = 0.3
    size_bytes: int = 40_000
    p50_ms: float = 0.2
    disturbed: bool = False
    constant: bool = False
    crashed: int | None = None
    benchmark_crashed: int | None = None
    steps: Sequence[dict[str, Any]] = ({"component": "train", "backbone": "conv", "alpha": 1.0},)
    seed: int = 0
    making: Making | None = None


@dataclass(frozen=True)
class Written:
    """Folders of models, evaluations and benchmarks in the order that select wants."""

    names: list[str]
    devices: list[str]
    models: list[Path] = field(default_factory=list)
    evaluations: list[Path] = field(default_factory=list)
    benchmarks: list[Path] = field(default_factory=list)

    def inputs(self) -> dict[str, Any]:
        """The arguments of select that these are."""
        return {
            "models": self.models,
            "evaluations": self.evaluations,
            "benchmarks": self.benchmarks,
            "data": None,
            "reference": None,
            "search": None,
            "names": self.names,
            "devices": self.devices,
        }


def write_variants(
    root: Path,
    variants: Sequence[Variant],
    *,
    task: str = "verification",
    devices: Sequence[str] = ("host",),
    baseline_noise: float = 3.0,
    split: str = "selection",
    groups: Mapping[str, Mapping[str, GroupResult]] | None = None,
) -> Written:
    """Write three reports for every variant, with the groups of those that are named."""
    written = Written([variant.name for variant in variants], list(devices))
    for index, variant in enumerate(variants):
        folder = root / f"{index}"
        info = write_lite(folder / "lite", variant, task=task)
        write_evaluation(
            folder / "evaluation", variant, task=task, baseline_noise=baseline_noise, split=split
        )
        if groups and variant.name in groups:
            found = Evaluation.read(folder / "evaluation")
            replace(found, groups=groups[variant.name]).write(folder / "evaluation")
        written.models.append(folder / "lite")
        written.evaluations.append(folder / "evaluation")
        for device in devices:
            write_benchmark(folder / device, variant, info, device=device)
            written.benchmarks.append(folder / device)
    return written


def write_lite(path: Path, variant: Variant, *, task: str = "verification") -> LiteModelInfo:
    """Write a LiteModel whose bytes nothing runs."""
    path.mkdir(parents=True)
    content = hashlib.sha256(variant.name.encode()).digest() * (variant.size_bytes // 32 + 1)
    (path / "model.tflite").write_bytes(content[: variant.size_bytes])
    verification = task == "verification"
    info = LiteModelInfo(
        task=task,
        input=LiteInput(8, 8, 1, 127.5, 127.5, "uint8", Affine(1 / 127.5, 128)),
        output=LiteOutput(
            kind="embedding" if verification else "scores",
            size=SIZE if verification else len(CLASSES),
            classes=None if verification else CLASSES,
            activation=None if verification else "softmax",
            dtype="float32",
            quantization=None,
        ),
        sha256=hashlib.sha256(content[: variant.size_bytes]).hexdigest(),
        size_bytes=variant.size_bytes,
        gzip_bytes=round(variant.size_bytes * 0.8),
        parameters=variant.size_bytes // 4,
        steps=tuple(variant.steps),
    )
    info.write(path)
    if variant.making:
        variant.making.write(path)
    return info


def answers_of(variant: Variant, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Return outputs, more or less noisy copies of the truth, and labels."""
    groups = IDENTITIES if task == "verification" else len(CLASSES)
    labels = np.repeat(np.arange(groups), IMAGES if task == "verification" else 20)
    width = SIZE if task == "verification" else groups
    centres = np.random.default_rng(1).normal(size=(groups, width))
    if task == "classification":
        centres = np.eye(groups) * 3
    noise = np.random.default_rng(2 + variant.seed).normal(size=(len(labels), width))
    outputs = centres[labels] + variant.noise * noise
    if variant.constant:
        outputs = np.tile(outputs[:1], (len(labels), 1))
    return outputs.astype(np.float32), labels.astype(np.int32)


def write_evaluation(
    path: Path,
    variant: Variant,
    *,
    task: str = "verification",
    baseline_noise: float = 3.0,
    split: str = "selection",
) -> None:
    """Write the report of evaluate."""
    path.mkdir(parents=True)
    outputs, labels = answers_of(variant, task)
    trivial, _ = answers_of(Variant("trivial", noise=baseline_noise, seed=7), task)
    resample = "identity" if task == "verification" else "image"
    threshold = 0.5 if task == "verification" else None
    measured, beaten = (
        sample_of(task, given, labels, resample=resample, threshold=threshold)
        for given in (outputs, trivial)
    )
    draws = beaten.draw(200, 0)
    ours, theirs = estimate(measured, draws), estimate(beaten, draws)
    if variant.crashed is not None:
        ours = {}
    Evaluation(
        task=task,
        split=split,
        description="made up for tests",
        splits={"train": 100, "validation": 72, split: len(labels)},
        n_images=len(labels),
        n_identities=len(np.unique(labels)),
        classes=CLASSES if task == "classification" else (),
        resample=resample,
        primary=PRIMARY[task],
        metrics={name: item.interval(0.95) for name, item in ours.items()},
        threshold=threshold,
        baseline=Baseline(
            "raw-pixel cosine" if task == "verification" else "majority class",
            metrics={name: item.interval(0.95) for name, item in theirs.items()},
            lead={
                name: drop(name, ours[name], theirs[name]).interval(0.95)
                for name in ours.keys() & theirs.keys()
            },
        ),
        confidence=0.95,
        crashed=crash_by(variant.crashed),
    ).write(path)
    np.save(path / LABELS, labels)
    if variant.crashed is None:
        np.save(path / OUTPUTS, outputs)
        if isinstance(measured, Pairs):
            (path / HISTOGRAM).write_bytes(canonical_json(measured.histogram()))


def crash_by(signal: int | None) -> Crash | None:
    """The end of a process by a signal, of which 9 comes from outside."""
    if signal is None:
        return None
    outside = signal == 9
    return Crash(signal, "SIGKILL" if outside else "SIGSEGV", "", outside=outside)


def write_benchmark(
    path: Path, variant: Variant, info: LiteModelInfo, *, device: str = "host"
) -> None:
    """Write the report of benchmark: two processes, two blocks each."""
    crash = crash_by(variant.benchmark_crashed)
    samples = tuple(round(variant.p50_ms * (1 + step / 100), 6) for step in (-2, 0, 0, 2))
    block = Block(2, 1.0, 1.0, 0, 0, 0.0)
    process = Process(
        load_ms=2.0,
        first_ms=1.0,
        warmups=1,
        warmups_ms=(1.0,),
        samples_ms=samples,
        blocks=(block, block),
        machine={"wall_ms": 2.0, "own_cpu_ms": 2.0, "busy_ms": 2.0, "stolen_ms": 0.0},
        baseline_memory_bytes=20_000_000,
        peak_memory_bytes=21_500_000,
        peak_was_reset=True,
        delegate_partitions=1,
        imported=("ai_edge_litert", "numpy"),
        python="3.11.2",
    )
    p50 = variant.p50_ms
    summary = Summary(
        samples=8,
        load_ms=2.0,
        first_ms=1.0,
        p50_ms=Interval(p50, p50 * 0.98, p50 * 1.02),
        p90_ms=Interval(p50 * 1.1, p50, p50 * 1.2),
        p99_ms=None,
        spread_ms=0.0,
        peak_memory_bytes=1_500_000,
    )
    verdict = "disturbed" if variant.disturbed else "stable"
    Measurement(
        device=MeasuredDevice(device, {"cpu": "made up", "cores": "2"}),
        threads=1,
        model_sha256=info.sha256,
        size_bytes=info.size_bytes,
        gzip_bytes=info.gzip_bytes,
        runtime={"name": "ai-edge-litert", "version": "0.0"},
        processes=() if crash else (process, process),
        attempts=(
            Attempt("killed" if crash.outside else "crashed", crash.sentence)
            if crash
            else Attempt(verdict, "1 of 4 blocks undisturbed; made up"),
        ),
        crashed=crash,
        summary=None if crash else summary,
    ).write(path)
