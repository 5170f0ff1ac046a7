"""The docker engine: each step a container that can read its inputs and write its own folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Any

from components.interface import Image
from pipelines.engines.jobs import (
    CANCELLED,
    EXITED,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    Ended,
    Job,
)
from pipelines.graph import Graph, Step
from pipelines.images import IMAGES, BuiltImage, connect, find

_POLL_S = 0.1
_NOBODY = 65532
_WORK_LABEL = "slimline.work"


class DockerRunner:
    """The ``Runner`` with containers.

    A step sees its files under the paths that they have on the host, so its executor input is
    the same as under the local engine.

    Args:
        work: The run's scratch folder, whose lock says that the run is alive.
    """

    name = "docker"

    def __init__(self, work: Path) -> None:
        self._work = work
        self._client: Any = connect()
        self._images: dict[Image, BuiltImage] = {}
        self._cancelled = threading.Event()

    def prepare(self, graph: Graph) -> None:
        """See ``Runner``. Containers that a killed engine left behind are removed."""
        needed = {step.interface.image for step in graph.steps}
        for image in IMAGES:
            if image not in needed:
                continue
            self._images[image] = find(self._client, image)
        for container in self._client.containers.list(all=True, filters={"label": _WORK_LABEL}):
            if not _alive(Path(container.labels[_WORK_LABEL])):
                container.remove(force=True)

    def environment(self, step: Step) -> str:
        """See ``Runner``."""
        return self._images[step.interface.image].environment

    def image_digest(self, step: Step) -> str | None:
        """See ``Runner``."""
        return self._images[step.interface.image].digest

    def run(self, job: Job) -> Ended:
        """See ``Runner``."""
        user = os.getuid() or _NOBODY
        _give(job.folder, user)
        memory_bytes = int(job.step.memory_gb * 1e9)
        mounts = {str(path): {"bind": str(path), "mode": "ro"} for path in job.readable}
        mounts[str(job.folder)] = {"bind": str(job.folder), "mode": "rw"}
        container = self._client.containers.create(
            self._images[job.step.interface.image].digest,
            [job.step.component, "--executor-input", f"@{job.executor_input}"],
            user=f"{user}:{os.getgid() or _NOBODY}",
            read_only=True,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=memory_bytes,
            memswap_limit=memory_bytes,
            nano_cpus=int(min(job.step.threads, os.cpu_count() or 1) * 1e9),
            pids_limit=4096,
            init=True,
            volumes=mounts,
            working_dir=str(job.folder),
            environment={"TMPDIR": str(job.folder / "tmp"), "HOME": str(job.folder / "tmp")},
            labels={_WORK_LABEL: str(self._work)},
        )
        try:
            container.start()
            return self._wait(container, job)
        finally:
            container.remove(force=True)
            _take_back(job.folder)

    def _wait(self, container: Any, job: Job) -> Ended:
        """Stream the log until the container ends, then read its exit code before removal."""
        streaming = threading.Thread(target=_stream, args=(container, job.log), daemon=True)
        streaming.start()
        deadline, reason = time.monotonic() + job.step.time_limit_s, EXITED
        while True:
            container.reload()
            if container.status in ("exited", "dead"):
                break
            if reason == EXITED:
                if self._cancelled.is_set():
                    reason = CANCELLED
                elif time.monotonic() > deadline:
                    reason = OUT_OF_TIME
                if reason != EXITED:
                    with contextlib.suppress(_conflict()):  # it ended by itself meanwhile
                        container.kill()
            time.sleep(_POLL_S)
        streaming.join()
        state = container.attrs["State"]
        if state["OOMKilled"] and reason == EXITED:
            reason = OUT_OF_MEMORY
        code = state["ExitCode"]
        peak = int(job.step.memory_gb * 1e9) if reason == OUT_OF_MEMORY else 0
        return Ended(128 - code if code > 128 else code, reason, peak)

    def cancel(self) -> None:
        """See ``Runner``."""
        self._cancelled.set()

    def close(self) -> None:
        """See ``Runner``."""
        for container in self._client.containers.list(
            all=True, filters={"label": f"{_WORK_LABEL}={self._work}"}
        ):
            container.remove(force=True)


def _conflict() -> type[Exception]:
    from docker.errors import APIError

    return APIError


def _stream(container: Any, log: Path) -> None:
    with log.open("ab") as file:
        for part in container.logs(stream=True, follow=True):
            file.write(part)
            file.flush()


def _alive(work: Path) -> bool:
    """Whether the run whose scratch folder this is still holds its lock."""
    lock = work.with_name(f"{work.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def _give(folder: Path, user: int) -> None:
    """Let the container's user write into the step's folder."""
    (folder / "tmp").mkdir(exist_ok=True)
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)


def _take_back(folder: Path) -> None:
    """Make what the container wrote this user's own again."""
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 0, 0, follow_symlinks=False)
