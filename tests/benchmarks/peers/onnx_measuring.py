"""Measure an ONNX file: it is run in its own environment, all else is as for LiteRT's files.

Shapes: n images, d classes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.artifacts.answers import GivenAnswers, paths_of
from components.artifacts.dataset import SEALED, Dataset
from components.artifacts.measurement import Process, Summary
from components.devices import host, probing
from components.devices.timing_plan import TimingPlan
from components.measure import scoring
from components.measure.stability import judge
from components.measure.timing import summarize
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling
from docs.peer_results import MeasuredFile
from tests.benchmarks.peers.environments import Environment, run
from tests.benchmarks.peers.measuring import Made, Timer, file_of, gzipped, write_scored

_PROBE = Path(__file__).with_name("programs") / "onnx_probe.py"


def measure_onnx(
    made: Made, sealed: Path, folder: Path, environment: Environment, timer: Timer, log: Path
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
    command = [str(environment.python), str(_PROBE), str(made.file)]
    normalization = ("--mean", str(made.model.mean), "--scale", str(made.model.scale))
    run([*command, "--images", str(images), "--answers", str(answers), *normalization], log)
    scored = scoring.score_answers(
        data, _given(data, made, np.load(answers)), split=SEALED, earlier=None,
        resampling=Resampling(), one_shot=OneShotPlan(),
    )  # fmt: skip
    for path in (images, answers):
        path.unlink()
    write_scored(scored, sealed, folder)
    summary, verdict = _timed(lambda: _timing(command, timer.plan, log), timer)
    runtime = f"ONNX Runtime {environment.versions['onnxruntime']}"
    return file_of(
        made.name, folder, len(content), gzipped(content), summary, verdict, runtime,
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
    limits = ("--warm-up-ms", str(plan.warm_up_ms), "--least-ms", str(probing.LEAST_BLOCK_MS))
    printed = run([*command, "--probe", str(probing.PROBE), *options, *limits], log)
    return Process.from_json(json.loads(printed.splitlines()[-1]))


def _timed(process: Callable[[], Process], timer: Timer) -> tuple[Summary, str]:
    """Time as ``benchmark`` does: fresh processes, again where something came between."""
    processes, verdict = (), "disturbed"
    for wait_s in timer.waits_s:
        if wait_s and not host.is_quiet(wait_s):
            break
        processes = tuple(process() for _ in range(timer.plan.processes))
        verdict = judge(processes).verdict
        if verdict == "stable":
            break
    return summarize(processes, Resampling()), verdict
