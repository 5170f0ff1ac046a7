"""Run a LiteModel in a process of its own: the runtime can end it, and that is an answer."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.artifacts.chained import ChainedImages
from components.artifacts.image_file import write_images
from components.artifacts.measurement import Crash
from components.contract.digests import canonical_json
from components.devices.delegates import Delegation

ROOT = Path(__file__).parents[2]
_TAIL_CHARACTERS = 2000
_OWN = frozenset(
    (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP,
     signal.SIGSYS)
)  # fmt: skip
"""Signals that a program raises by its own fault; any other comes from somebody else."""
_NO_MEMORY = ("MemoryError", "std::bad_alloc", "Cannot allocate memory")

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class IsolatedOutputs:
    """What a model answered in a process of its own.

    Attributes:
        outputs_nd: One row of real numbers an image.
        delegation: How the runtime divided the model.
    """

    outputs_nd: NDArray[np.float32]
    delegation: Delegation


def answers_of(
    path: Path,
    images_nhwc: NDArray[Any] | ChainedImages,
    *,
    threads: int,
    scratch: Path | None = None,
) -> IsolatedOutputs | Crash:
    """Run every image through the LiteModel in a fresh process.

    Args:
        path: Folder of the LiteModel.
        images_nhwc: uint8 images of 0 to 255, or float32 images that are normalised already.
        threads: Threads of the runtime.
        scratch: Folder for the files that go over and come back.

    Returns:
        What the model answered, or how the process died, and so did another one in its place.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        images, answers = Path(folder, "images.npy"), Path(folder, "answers.npy")
        write_images(images, images_nhwc)
        given = (str(path), str(images), str(answers), "--threads", str(threads))
        search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))

        def run() -> IsolatedOutputs | Crash:
            done = subprocess.run(
                [sys.executable, "-m", "components.devices.isolated", *given],
                env={**os.environ, "PYTHONPATH": search},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
            if done.returncode != 0:
                return crash_of(done.returncode, done.stderr.decode(errors="replace"))
            divided = json.loads(answers.with_suffix(".json").read_bytes())
            for listed in ("outside", "places"):
                divided[listed] = tuple(divided[listed])
            return IsolatedOutputs(np.load(answers), Delegation(**divided))

        answered, died = again_if_ended(run)
    if died and not isinstance(answered, Crash):
        sys.stderr.write(f"{path}: the first process ended with {died.cause}, the second did not\n")
    return answered


def again_if_ended(run: Callable[[], _Answer | Crash]) -> tuple[_Answer | Crash, Crash | None]:
    """Run a process, and a fresh one in its place where a signal or a limit ended it.

    Twice running by the model's own fault is the model's answer; where one of the two was ended
    from outside, that is what is returned, because it leaves open what the model does.

    Args:
        run: Starts a process and returns what it answered, or how it ended.

    Returns:
        What came of it, and how the first process ended where there was a second.
    """
    first = run()
    if not isinstance(first, Crash) or first.refused:
        return first, None
    second = run()
    if isinstance(second, Crash) and first.outside and not second.refused:
        return first, first
    return second, first


def crash_of(returncode: int, stderr: str) -> Crash:
    """Return what a process that ended with ``returncode``, not 0, died of."""
    assert returncode != 0, "it did not die"
    tail = stderr[-_TAIL_CHARACTERS:]
    starved = any(sign in stderr for sign in _NO_MEMORY)
    if returncode < 0:
        number = signal.Signals(-returncode)
        return Crash(number.value, number.name, tail, outside=starved or number not in _OWN)
    lines = [line for line in tail.splitlines() if line.strip()]
    name = lines[-1] if lines else f"exit code {returncode}"
    return Crash(None, name, tail, outside=starved)


def _main(argv: list[str]) -> None:
    """Load, answer and write: what runs in the process of its own."""
    from components.devices.interpreter import LiteModel

    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(argv)
    images_nhwc = np.load(given.images, mmap_mode="r")
    model = LiteModel.open(given.model, given.threads)
    if images_nhwc.dtype == np.uint8:
        answers_nd = model.run(ChainedImages([images_nhwc]))
    else:
        answers_nd = model.run_normalised(images_nhwc)
    np.save(given.answers, answers_nd)
    divided = asdict(Delegation.of(model.interpreter))
    given.answers.with_suffix(".json").write_bytes(canonical_json(divided))


if __name__ == "__main__":
    _main(sys.argv[1:])
