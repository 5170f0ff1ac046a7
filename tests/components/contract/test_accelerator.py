"""A step that was given a GPU and sees none fails with the reason."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.contract import accelerator
from components.contract.accelerator import Accelerator, given, giving, unusable

ROOT = Path(__file__).parents[3]


def test_the_frameworks_see_the_gpu_that_was_given_and_no_other(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with giving(Accelerator("GPU-7")):
        assert given().device == "GPU-7"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-7"
    assert given() is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with giving(None):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


class Driver:
    """NVIDIA's library, as far as it is asked."""

    def __init__(self, init, count):
        self._init, self._count = init, count

    def cuInit(self, flags):  # noqa: N802 as CUDA spells it
        return self._init

    def cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = self._count
        return 0

    def cuGetErrorName(self, code, name):  # noqa: N802
        name._obj.value = b"CUDA_ERROR_NO_DEVICE"
        return code != 100


@pytest.mark.parametrize(
    ("init", "count", "reason"),
    [
        (100, 0, "the driver answers CUDA_ERROR_NO_DEVICE (100)"),
        (999, 0, "the driver answers code 999"),
        (0, 0, "the driver shows no device (code 0)"),
        (0, 1, "the CUDA libraries of tensorflow[and-cuda]"),
    ],
)
def test_the_driver_is_asked_for_the_reason(init, count, reason, monkeypatch):
    monkeypatch.setattr(accelerator.ctypes, "CDLL", lambda name: Driver(init, count))
    assert reason in unusable(Accelerator("0")).what


def test_a_training_that_was_given_a_gpu_does_not_go_on_without_it(tmp_path):
    """This machine has none: were there one, its name would be in the statement."""
    dataset, statement = tmp_path / "dataset", tmp_path / "statement.json"
    dataset.mkdir()
    message = {
        "inputs": {"artifacts": {"dataset": {"artifacts": [{"uri": str(dataset)}]}}},
        "outputs": {
            "artifacts": {
                name: {"artifacts": [{"uri": str(tmp_path / path)}]}
                for name, path in (
                    ("model", "model"), ("report", "report"), ("statement", statement.name),
                )
            }
        },
    }  # fmt: skip
    call = [sys.executable, "-m", "components", "train"]
    arguments = ["--executor-input", json.dumps(message)]
    done = subprocess.run(
        [*call, "--gpu", "0", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "the step was given the GPU 0, and TensorFlow sees none:" in done.stderr
    assert "remove gpu from its limits" in done.stderr
    assert json.loads(statement.read_text())["outcome"]["result"] == "user-fault"
    # Without it, the step goes on, to what is wrong with this dataset.
    done = subprocess.run(
        [*call, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "GPU 0" not in done.stderr
    assert "dataset" in done.stderr
