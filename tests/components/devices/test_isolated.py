import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.measurement import Crash
from components.devices.interpreter import LiteModel
from components.devices.isolated import IsolatedOutputs, again_if_ended, answers_of, crash_of
from tests.components.devices.killing import killed
from tests.data.patterns import images_of


def test_a_process_apart_answers_the_same(lite_patterns: Mapping[str, Path]) -> None:
    lite = lite_patterns["int8-uint8"] / "lite"
    images, _ = images_of(4, seed=5)
    answers = answers_of(lite, images, threads=1)
    assert isinstance(answers, IsolatedOutputs)
    model = LiteModel.open(lite)
    assert np.array_equal(answers.outputs_nd, model.run(images))
    floats = answers_of(lite, images.astype(np.float32) / 127.5 - 1, threads=1)
    assert isinstance(floats, IsolatedOutputs)
    assert floats.outputs_nd.shape == (4, 4)


def test_a_file_that_the_runtime_cannot_take_is_an_answer(
    lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    broken = (lite_patterns["float32"] / "lite" / MODEL_FILE).read_bytes()[:64]
    (tmp_path / MODEL_FILE).write_bytes(broken)
    info = LiteModelInfo.read(lite_patterns["float32"] / "lite")
    replace(info, sha256=hashlib.sha256(broken).hexdigest()).write(tmp_path)
    images, _ = images_of(1, seed=5)
    died = answers_of(tmp_path, images, threads=1)
    assert isinstance(died, Crash)
    assert died.stderr


def test_answers_of_a_process_that_was_killed_once_come_from_a_fresh_one(
    lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    lite, (images, _) = lite_patterns["float32"] / "lite", images_of(2, seed=5)
    with killed(str(tmp_path), times=1) as pids:
        answers = answers_of(lite, images, threads=1, scratch=tmp_path)
    assert len(pids) == 1
    assert isinstance(answers, IsolatedOutputs)
    with killed(str(tmp_path), times=2):
        died = answers_of(lite, images, threads=1, scratch=tmp_path)
    assert isinstance(died, Crash)
    assert (died.signal, died.outside) == (9, True)


SEGV, KILL, NO = crash_of(-11, ""), crash_of(-9, ""), crash_of(1, "ValueError: no")


@pytest.mark.parametrize(
    ("ends", "counts", "runs"),
    [
        ([SEGV, SEGV], SEGV, 2),
        ([KILL, KILL], KILL, 2),
        ([SEGV, KILL], KILL, 2),
        ([KILL, SEGV], KILL, 2),  # one death of its own is not two
        ([NO], NO, 1),
        ([KILL, NO], NO, 2),
        ([SEGV, "answer"], "answer", 2),
        (["answer"], "answer", 1),
    ],
)
def test_what_counts_of_two_processes(ends: list[Crash | str], counts: object, runs: int) -> None:
    started: list[int] = []

    def run() -> Crash | str:
        started.append(1)
        return ends[len(started) - 1]

    assert again_if_ended(run)[0] == counts
    assert len(started) == runs


@pytest.mark.parametrize(
    ("returncode", "stderr", "outside"),
    [
        (-11, "", False),
        (-6, "", False),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'\n", True),
        (-9, "", True),
        (-15, "", True),
        (1, "Traceback\nnumpy._core._exceptions._ArrayMemoryError: Unable\n", True),
        (1, "ValueError: Cannot create interpreter\n", False),
    ],
)
def test_who_ended_a_process(returncode: int, stderr: str, outside: bool) -> None:
    assert crash_of(returncode, stderr).outside == outside


def test_signals_have_names() -> None:
    assert crash_of(-11, "Fatal error\n").sentence == "crashed: signal 11 (SIGSEGV)"
    assert crash_of(1, "Traceback\nValueError: no\n\n") == Crash(
        None, "ValueError: no", "Traceback\nValueError: no\n\n"
    )
    assert crash_of(3, "").sentence == "exit code 3"
