"""Measure any file of any tool: the same images, the same metrics, the same way of timing.

LiteRT's files go the way of ``evaluate`` and ``benchmark``, as every variant of slimline does; those
of ONNX are run by ``onnx_measuring.py``, and what they answered goes the same way.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.dataset import SEALED, Dataset
from components.artifacts.lite_model import MODEL_FILE, Affine, LiteInput, LiteModelInfo, LiteOutput
from components.artifacts.measurement import Crash, Summary
from components.devices.host import QUIET_WAITS_S, Host
from components.devices.timing_plan import TimingPlan
from components.measure import scoring
from components.measure.measuring import measurement_of
from components.measure.paired import failure_of, read_evaluated
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling
from docs.peer_results import MeasuredFile
from tests.benchmarks.peers.environments import PeerFailedError
from tests.benchmarks.peers.inputs import PeerModel


@dataclass(frozen=True)
class Made:
    """A file that is to be measured.

    Attributes:
        name: In the table.
        file: Where it is.
        model: What it was made from: how pixels are fed, and how many weights there are.
        note: What is told of how it was made.
    """

    name: str
    file: Path
    model: PeerModel
    note: str = ""


@dataclass(frozen=True)
class Timer:
    """How files are timed: as ``benchmark`` does where nothing else is said.

    Attributes:
        plan: Of one timing.
        waits_s: How long each attempt waits for a quiet moment.
    """

    plan: TimingPlan = field(default_factory=TimingPlan)
    waits_s: tuple[float, ...] = QUIET_WAITS_S


def lite_folder(made: Made, classes: tuple[str, ...], folder: Path) -> Path:
    """Write a LiteModel of a ``.tflite`` that others made: what it takes stands in the file.

    Raises:
        PeerFailedError: The runtime does not take it, or its ends are not those of the model.
    """
    from ai_edge_litert.interpreter import Interpreter

    content = made.file.read_bytes()
    try:
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise PeerFailedError(f"LiteRT does not load {made.file.name}: {error}") from error
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    ends = [taken["shape"].tolist(), given["shape"].tolist()]
    if ends != [[1, *made.model.shape], [1, len(classes)]]:
        raise PeerFailedError(f"{made.file.name} takes {ends[0]} and answers {ends[1]}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(content)
    dtypes: list[Any] = [np.dtype(end["dtype"]).name for end in (taken, given)]
    LiteModelInfo(
        task="classification",
        input=LiteInput(
            *made.model.shape, made.model.mean, made.model.scale, dtypes[0], _affine(taken)
        ),
        output=LiteOutput("scores", len(classes), classes, "softmax", dtypes[1], _affine(given)),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        gzip_bytes=gzipped(content),
        parameters=made.model.parameters,
    ).write(folder)
    return folder


def _affine(end: dict[str, Any]) -> Affine | None:
    """Return how the integers of an end stand for numbers; None where it is float32."""
    if np.dtype(end["dtype"]) == np.float32:
        return None
    scale, zero_point = end["quantization"]
    return Affine(float(scale), int(zero_point))


def gzipped(content: bytes) -> int:
    """Return the length after gzip, level 9."""
    return len(gzip.compress(content, 9, mtime=0))


def measure_lite(
    name: str, lite: Path, sealed: Path, folder: Path, timer: Timer, **told: Any
) -> MeasuredFile:
    """Measure a LiteModel on the test images, and time it.

    Args:
        name: In the table.
        lite: Its folder.
        sealed: The dataset with the test images.
        folder: Of the evaluation that is kept; its name is in the result.
        timer: How it is timed.
        told: Of the file besides.
    """
    info = LiteModelInfo.read(lite)
    scored = scoring.score(
        Dataset.open(sealed), lite, split=SEALED, earlier=None, resampling=Resampling(),
        one_shot=OneShotPlan(), threads=1,
    )  # fmt: skip
    write_scored(scored, sealed, folder)
    measured = measurement_of(lite, "host", Host(timer.waits_s), timer.plan, Resampling())
    return file_of(
        name, folder, info.size_bytes, info.gzip_bytes, measured.summary, measured.verdict,
        " ".join((measured.runtime["name"], measured.runtime["version"])), **told,
    )  # fmt: skip


def write_scored(scored: scoring.Scored, sealed: Path, folder: Path) -> None:
    """Write an evaluation, as ``evaluate`` leaves one."""
    folder.mkdir(parents=True, exist_ok=True)
    metrics, curve = folder / "metrics.json", folder / "curve.json"
    scoring.write(scored, Dataset.open(sealed), folder, metrics, curve)


def file_of(
    name: str, folder: Path, size_bytes: int, gzip_bytes: int, summary: Summary | None,
    timing: str, runtime: str, **told: Any,
) -> MeasuredFile:  # fmt: skip
    """Return what is told of a file whose evaluation lies in ``folder``."""
    evaluation, answers = read_evaluated(folder)
    crash: Crash | None = evaluation.crashed
    return MeasuredFile(
        name=name,
        runtime=runtime,
        size_bytes=size_bytes,
        gzip_bytes=gzip_bytes,
        accuracy=None if crash else evaluation.metrics["accuracy"],
        p50_ms=summary.p50_ms if summary else None,
        timing=timing,
        failure=failure_of(evaluation, answers) or "",
        evaluation="" if crash else folder.name,
        **told,
    )
