"""Measure any file of any tool: the same images, the same metrics, the same way of timing.

LiteRT's files go through ``evaluate`` and ``benchmark`` as every variant of slimline does. ONNX
files are run in their own environment, and what they answered is measured by the same functions.

Shapes: n images, d classes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.answers import GivenAnswers, paths_of
from components.artifacts.dataset import SEALED, Dataset
from components.artifacts.lite_model import MODEL_FILE, Affine, LiteInput, LiteModelInfo, LiteOutput
from components.artifacts.measurement import Crash, Process, Summary
from components.devices import host
from components.devices.timing_plan import TimingPlan
from components.measure import scoring
from components.measure.measuring import measurement_of
from components.measure.paired import failure_of, read_evaluated
from components.measure.stability import judge
from components.measure.timing import QUIET_WAITS_S, is_quiet, summarize
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling
from docs.peer_results import MeasuredFile
from tests.benchmarks.peers.environments import Environment, PeerFailedError, run
from tests.benchmarks.peers.inputs import PeerModel

_ONNX_PROBE = Path(__file__).with_name("programs") / "onnx_probe.py"


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
    if [*taken["shape"]] != [1, *made.model.shape] or [*given["shape"]] != [1, len(classes)]:
        raise PeerFailedError(
            f"{made.file.name} takes {[*taken['shape']]} and answers {[*given['shape']]}"
        )
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
        gzip_bytes=_gzipped(content),
        parameters=made.model.parameters,
    ).write(folder)
    return folder


def _affine(end: dict[str, Any]) -> Affine | None:
    """Return how the integers of an end stand for numbers; None where it is float32."""
    if np.dtype(end["dtype"]) == np.float32:
        return None
    scale, zero_point = end["quantization"]
    return Affine(float(scale), int(zero_point))


def _gzipped(content: bytes) -> int:
    return len(gzip.compress(content, 9, mtime=0))


def measure_lite(name: str, lite: Path, sealed: Path, folder: Path, **told: Any) -> MeasuredFile:
    """Measure a LiteModel on the test images, and time it.

    Args:
        name: In the table.
        lite: Its folder.
        sealed: The dataset with the test images.
        folder: Of the evaluation that is kept; its name is in the result.
        told: Of the file besides.
    """
    info = LiteModelInfo.read(lite)
    scored = scoring.score(
        Dataset.open(sealed), lite, split=SEALED, earlier=None, resampling=Resampling(),
        one_shot=OneShotPlan(), threads=1,
    )  # fmt: skip
    _write(scored, sealed, folder)
    measured = measurement_of(lite, "host", TimingPlan(), Resampling())
    return _file(
        name, folder, info.size_bytes, info.gzip_bytes, measured.summary, measured.verdict,
        " ".join(measured.runtime.values()), **told,
    )  # fmt: skip


def measure_onnx(
    made: Made, sealed: Path, folder: Path, environment: Environment, log: Path
) -> MeasuredFile:
    """Measure an ONNX file on the test images, and time it, in its own environment.

    Raises:
        PeerFailedError: ONNX Runtime does not run it.
    """
    data = Dataset.open(sealed)
    content = made.file.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    images, answers = folder / "images.npy", folder / "answers.npy"
    np.save(images, np.asarray(data.images(SEALED)[:]))
    command = [str(environment.python), str(_ONNX_PROBE), str(made.file)]
    normalization = ("--mean", str(made.model.mean), "--scale", str(made.model.scale))
    run([*command, "--images", str(images), "--answers", str(answers), *normalization], log)
    scored = scoring.score_answers(
        data, _given(data, made, np.load(answers)), split=SEALED, earlier=None,
        resampling=Resampling(), one_shot=OneShotPlan(),
    )  # fmt: skip
    for path in (images, answers):
        path.unlink()
    _write(scored, sealed, folder)
    summary, verdict = _timed(lambda: _timing(command, TimingPlan(), log))
    runtime = f"ONNX Runtime {environment.versions['onnxruntime']}"
    return _file(
        made.name, folder, len(content), _gzipped(content), summary, verdict, runtime,
        note=made.note,
    )  # fmt: skip


def _given(data: Dataset, made: Made, answers_nd: np.ndarray) -> GivenAnswers:
    rows = {path: row for row, path in enumerate(paths_of(data)[SEALED])}
    assert len(rows) == len(answers_nd), "an answer for each image"
    sha256 = hashlib.sha256(answers_nd.tobytes()).hexdigest()
    return GivenAnswers(made.file.name, sha256, rows, answers_nd, data.info.classes)


def _timing(command: list[str], plan: TimingPlan, log: Path) -> Process:
    """Time the file in one fresh process."""
    options = ("--blocks", str(plan.blocks), "--block-ms", str(plan.block_ms))
    limits = ("--warm-up-ms", str(plan.warm_up_ms), "--least-ms", str(host.LEAST_BLOCK_MS))
    printed = run([*command, "--probe", str(host.PROBE), *options, *limits], log)
    return Process.from_json(json.loads(printed.splitlines()[-1]))


def _timed(process: Callable[[], Process]) -> tuple[Summary, str]:
    """Time as ``benchmark`` does: three processes, again where something came between."""
    processes, verdict = (), "disturbed"
    for wait_s in QUIET_WAITS_S:
        if wait_s and not is_quiet(wait_s):
            break
        processes = tuple(process() for _ in range(TimingPlan().processes))
        verdict = judge(processes).verdict
        if verdict == "stable":
            break
    return summarize(processes, Resampling()), verdict


def _write(scored: scoring.Scored, sealed: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    metrics, curve = folder / "metrics.json", folder / "curve.json"
    scoring.write(scored, Dataset.open(sealed), folder, metrics, curve)


def _file(
    name: str, folder: Path, size_bytes: int, gzip_bytes: int, summary: Summary | None,
    timing: str, runtime: str, **told: Any,
) -> MeasuredFile:  # fmt: skip
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
