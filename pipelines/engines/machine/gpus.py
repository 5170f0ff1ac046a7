"""The GPUs of this machine: which there are, and one of them for one step at a time.

A step that computes on a GPU has it to itself: two trainings beside each other on one take longer
than one after the other, and together they may need more memory than it has. What it is given is a
file in the user's runtime folder that its engine keeps locked (``flock``), so that engines of the
same user share the GPUs and a kill gives them back. The lock is taken before the machine's own: who
holds that never waits for a GPU.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from components.contract.errors import UserError
from pipelines.disk.files import disk_faults
from pipelines.disk.runtime_folder import opened_runtime_folder

_PROGRAM = "nvidia-smi"
_ASK = (_PROGRAM, "--query-gpu=uuid,name", "--format=csv,noheader")
_ANSWER_S = 30
_POLL_S = 0.2
_UUID = re.compile(r"GPU-[0-9a-fA-F-]+")


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        device: Its ``GPU-...``, which means the same to CUDA, to Docker and after a restart.
        name: Its model.
    """

    device: str
    name: str


def gpus_here() -> tuple[Gpu, ...]:
    """Return the GPUs of this machine in the order of its driver.

    Raises:
        UserError: There is none, with the reason.
    """
    try:
        asked = subprocess.run(
            _ASK, capture_output=True, text=True, check=False, timeout=_ANSWER_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise _none(f"there is no {_PROGRAM}, which comes with NVIDIA's driver") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _none(f"{_PROGRAM} does not answer ({error})") from None
    lines = [line.partition(",") for line in asked.stdout.splitlines()]
    found = tuple(
        Gpu(device.strip(), name.strip())
        for device, _, name in lines
        if _UUID.fullmatch(device.strip())
    )
    if asked.returncode or not found:
        said = (asked.stdout + asked.stderr).strip().splitlines()
        raise _none(f"{_PROGRAM} says: {said[-1] if said else 'nothing'}")
    return found


def _none(reason: str) -> UserError:
    return UserError(
        f"limits ask for a GPU, and this machine shows none: {reason}",
        "remove gpu from the limits, or run where there is one: --engine kubeflow",
    )


@contextlib.contextmanager
def one_of(
    gpus: Sequence[Gpu], *, cancelled: Event, waits_for: Callable[[str], None]
) -> Generator[Gpu | None]:
    """Hold one of some GPUs, the first that no other step of this user has.

    Args:
        gpus: Those to choose from.
        cancelled: Gives up waiting; then there is none.
        waits_for: Told once that all are taken.

    Raises:
        UserError: There is no place for the locks.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(opened_runtime_folder())
        told = False
        while not cancelled.is_set():
            for gpu in gpus:
                with disk_faults(Path(f"/proc/self/fd/{folder}").readlink()):
                    handle = _locked(folder, gpu)
                if handle is not None:
                    stack.callback(os.close, handle)
                    yield gpu
                    return
            if not told:
                waits_for(
                    f"a GPU: another run of this user has {'it' if len(gpus) == 1 else 'all'}"
                )
                told = True
            cancelled.wait(_POLL_S)
        yield None


def _locked(folder: int, gpu: Gpu) -> int | None:
    """Return the handle that keeps a GPU, or None if another one has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(f"gpu-{gpu.device}", flags, 0o600, dir_fd=folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
