import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.measurement import Crash
from components.devices.interpreter import LiteModel
from components.devices.isolated import IsolatedOutputs, answers_of, crash_of
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


def test_signals_have_names() -> None:
    assert crash_of(-11, "Fatal error\n").sentence == "crashed: signal 11 (SIGSEGV)"
    assert crash_of(1, "Traceback\nValueError: no\n\n") == Crash(
        None, "ValueError: no", "Traceback\nValueError: no\n\n"
    )
    assert crash_of(3, "").sentence == "exit code 3"
