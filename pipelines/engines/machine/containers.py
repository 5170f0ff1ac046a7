"""A step's container: what it may read and take, what it printed, how it ended."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

from pipelines.disk.files import write_all
from pipelines.engines.machine.runner import Job
from pipelines.runs.graph import Step

CONFLICT = 409
"""The Docker Engine's answer where a container is ending, or being removed, already."""

_POLL_S = 0.1
_LATE_OOM_S = 1.0
"""The word that memory ran out may come after the word that the container ended."""

_SPARE_S = 60


class ContainerLog(threading.Thread):
    """Copies what a container prints into the log of its step.

    Args:
        parts: What it prints.
        path: The log, which the container cannot reach.
    """

    def __init__(self, parts: Iterable[bytes], path: Path) -> None:
        super().__init__(daemon=True)
        self._parts, self._file = parts, path.open("ab", buffering=0)
        self.error: OSError | None = None

    def run(self) -> None:
        """Copy until the container closes its output.

        Where the disk is full the rest is read all the same: the Docker Engine waits for its
        reader, and can neither end nor list a container meanwhile.
        """
        from docker.utils.socket import SocketError

        # Who watches the container finds out that the Docker Engine is gone.
        with self._file, contextlib.suppress(SocketError, ConnectionError):
            for part in self._parts:
                if self.error is None:
                    try:
                        write_all(self._file.fileno(), part)
                    except OSError as error:
                        self.error = error


def mounts(job: Job) -> Generator[Any]:
    """Bind what the step reads and its own folder; unlike a volume, never made when missing."""
    from docker.types import Mount

    for path in job.readable:
        yield Mount(str(path), str(path), type="bind", read_only=True)
    yield Mount(str(job.folder), str(job.folder), type="bind")


def nano_cpus(step: Step) -> int | None:
    """Return the step's share of the processors.

    None for a step that measures time: it has the machine to itself, and a share would stop it in
    the middle of what it measures.
    """
    if step.alone:
        return None
    return int(min(step.threads, os.cpu_count() or 1) * 1e9)


def gpu_requests(job: Job) -> list[Any]:
    """Return the one GPU that a step was given, as the Docker Engine takes it."""
    from docker.types import DeviceRequest

    if job.gpu is None:
        return []
    return [DeviceRequest(driver="nvidia", device_ids=[job.gpu], capabilities=[["gpu"]])]


def processor_time(step: Step) -> Any:
    """Return a limit that only a step meets whose engine was killed and ends it no more."""
    from docker.types import Ulimit

    seconds = math.ceil(step.time_limit_s * (os.cpu_count() or 1)) + _SPARE_S
    return Ulimit(name="cpu", soft=seconds, hard=seconds)


def kill(container: Any) -> None:
    """End a container, if it has not ended by itself."""
    try:
        container.kill()
    except api_error() as error:
        if error.status_code != CONFLICT:  # it ended by itself meanwhile
            raise


def out_of_memory(container: Any, code: int) -> bool:
    """Whether a container that ended with this code was ended because memory ran out."""
    deadline = time.monotonic() + (_LATE_OOM_S if code == -signal.SIGKILL else 0.0)
    while not container.attrs["State"]["OOMKilled"]:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
        container.reload()
    return True


def exit_code(status: int) -> int:
    """Return a container's exit status as ``Ended`` has it: minus the signal that ended it."""
    ended_by = status - 128
    return -ended_by if ended_by in {int(number) for number in signal.Signals} else status


def api_error() -> Any:
    """Return the class of what the Docker Engine answers that it does not do."""
    from docker.errors import APIError

    return APIError
