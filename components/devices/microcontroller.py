"""TensorFlow Lite Micro on this machine: what a model needs of a microcontroller, and its answers.

Its kernels are the reference ones, so that no time is taken: it would say nothing of a chip. The
arena is the one of a 64-bit machine, where pointers are twice as long as on a microcontroller, so
it is an upper bound for the same kernels; optimized ones, such as those of CMSIS-NN, may want more
scratch memory.

Shapes: n tensors, h rows, w columns, c channels, d numbers of an answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from components.artifacts.measurement import Crash
from components.contract.extras import not_installed
from components.devices.isolated import again_if_ended, crash_of

if TYPE_CHECKING:
    # Started by its path, so never imported: but a change of it has to change what is cached.
    from components.devices import micro_probe as micro_probe  # noqa: PLC0414 named, never used

PACKAGE = "tflite-micro"
EXTRA = "microcontroller"
PROBE = Path(__file__).with_name("micro_probe.py")
LIMIT_S = 900.0
_KERNELS = "tensorflow/lite/micro/"
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, eq=False)
class MicroRun:
    """What one model did in TensorFlow Lite Micro.

    Attributes:
        arena_bytes: The smallest arena that it loads and runs in.
        activation_bytes: What of it holds tensors, which share places over time.
        persistent_bytes: What of it is taken for good.
        outputs_nd: Its answers, in the type of its output tensor.
    """

    arena_bytes: int
    activation_bytes: int
    persistent_bytes: int
    outputs_nd: NDArray[Any]


@dataclass(frozen=True)
class MicroOperators:
    """The operators of a model.

    Attributes:
        used: Their names, in the order of their first use.
        lacking: Those that TensorFlow Lite Micro does not have.
    """

    used: tuple[str, ...]
    lacking: tuple[str, ...]


def micro_version() -> str:
    """Return the version of TensorFlow Lite Micro that is installed.

    Raises:
        UserError: None is.
    """
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise not_installed("kind: microcontroller", PACKAGE, EXTRA) from None


def run_micro(model: Path, tensors_nhwc: NDArray[Any]) -> MicroRun | Crash:
    """Run tensors through a ``.tflite`` in a process of its own, or say how that process ended.

    Args:
        model: The file.
        tensors_nhwc: In the type of its input tensor, at least one.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder, "inputs.npy"), Path(folder, "outputs.npy")
        np.save(inputs, tensors_nhwc)
        said = _probe([str(model), str(inputs), str(outputs)])
        return said if isinstance(said, Crash) else MicroRun(**said, outputs_nd=np.load(outputs))


def micro_operators(model: Path) -> MicroOperators | Crash:
    """Say which operators a ``.tflite`` has, and which of them are lacking."""
    said = _probe([str(model), "--operators"])
    if isinstance(said, Crash):
        return said
    return MicroOperators(tuple(said["operators"]), tuple(said["lacking"]))


def write_unshared(model: Path, copy: Path) -> Crash | None:
    """Write a ``.tflite`` as if it had never been repacked: no two vectors share a place.

    Args:
        model: The file.
        copy: Where to write it.
    """
    said = _probe([str(model), "--unshared", str(copy)])
    return said if isinstance(said, Crash) else None


def _probe(arguments: Sequence[str]) -> dict[str, Any] | Crash:
    """Run ``micro_probe.py`` and return its document; again where something ended it."""

    def run() -> dict[str, Any] | Crash:
        try:
            done = subprocess.run(
                [sys.executable, "-P", str(PROBE), *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Crash(None, f"time limit of {LIMIT_S:g} s", "", outside=True)
        told = done.stderr.decode(errors="replace")
        if done.returncode == 0:
            last = done.stdout.splitlines()[-1:] or [b"{}"]
            return cast("dict[str, Any]", json.loads(last[0]))
        crash = crash_of(done.returncode, told)
        if crash.signal is None and (reason := refusal_of(told)):
            return Crash(None, reason, crash.stderr, outside=crash.outside)
        return crash

    return again_if_ended(run)[0]


def refusal_of(told: str) -> str:
    """Return in one line why a model was refused; empty where nothing says so.

    Args:
        told: What the process wrote on standard error.
    """
    lines = told.partition(_TRACEBACK)[0].splitlines()
    return "; ".join(line.strip().removeprefix(_KERNELS) for line in lines[:2] if line.strip())
