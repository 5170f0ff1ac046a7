"""The docker engine: each step a container that can read its inputs and write its own folder."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.contract.errors import UserError
from components.contract.types import ImageName
from pipelines.disk.files import disk_faults
from pipelines.disk.folders import remove_tree
from pipelines.disk.scratch import is_held
from pipelines.engines.machine.containers import (
    CONFLICT,
    ContainerLog,
    api_error,
    exit_code,
    gpu_requests,
    kill,
    mounts,
    nano_cpus,
    out_of_memory,
    processor_time,
)
from pipelines.engines.machine.local import LocalRunner
from pipelines.engines.machine.ownership import give, make_readable, take_back
from pipelines.engines.machine.runner import (
    CANCELLED,
    EXITED,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    Ended,
    Job,
)
from pipelines.images.building import ALL_IMAGES, BuiltImage, find, step_environment
from pipelines.images.daemon import connect, daemon_faults
from pipelines.runs.graph import Graph, Step

_POLL_S = 0.1
_SOON_S = 0.01
_NOBODY = 65532
_NOT_FOUND = 404
_WORK_LABEL = "slimline.work"
_OWNER_LABEL = "slimline.owner"


class DockerRunner:
    """The ``Runner`` with containers.

    A step sees its files under the paths that they have on the host, so its executor input is
    the same as under the local engine. Containers have neither network nor programs of the user: a
    step that has to reach a device is a process of this machine.

    Args:
        work: The run's scratch folder, whose lock says that the run is alive.
    """

    name = "docker"

    def __init__(self, work: Path) -> None:
        self._work = work
        self._client: Any = connect()
        self._images: dict[ImageName, BuiltImage] = {}
        self._here = LocalRunner()
        self._remapped = False
        self._cancelled = threading.Event()

    def prepare(self, graph: Graph) -> None:
        """See ``Runner``. Containers that a killed engine left behind are removed, others stay.

        Raises:
            UserError: An image is missing or holds other code, or the Docker Engine is rootless.
        """
        here = tuple(step for step in graph.steps if step.with_users_programs)
        self._here.prepare(replace(graph, steps=here))
        with daemon_faults("the Docker Engine cannot be used"):
            options = " ".join(self._client.info().get("SecurityOptions") or ())
            if "name=rootless" in options:
                raise UserError(
                    "the Docker Engine is rootless: its users are not those of this machine, and "
                    "steps could not write their results",
                    "use a Docker Engine that runs as root (DOCKER_HOST), or --engine local",
                )
            self._remapped = "name=userns" in options
            needed = {step.image for step in graph.steps if not step.with_users_programs}
            for image in ALL_IMAGES:
                if image in needed:
                    self._images[image] = find(self._client, image)
            for found in self._containers(f"{_OWNER_LABEL}={_owner()}"):
                work = Path(found["Labels"][_WORK_LABEL])
                if not _may_live(work):
                    self._remove(found["Id"])
                    # Whoever swept it before could not hinder the container from writing on.
                    remove_tree(work)

    def environment(self, step: Step) -> str:
        """See ``Runner``."""
        if step.with_users_programs:
            return self._here.environment(step)
        return step_environment(step.component, self._images[step.image].environment)

    def image_digest(self, step: Step) -> str | None:
        """See ``Runner``."""
        if step.with_users_programs:
            return None
        return self._images[step.image].digest

    def run(self, job: Job) -> Ended:
        """See ``Runner``.

        Raises:
            UserError: The Docker Engine refuses or is gone, or the disk of the log is full.
        """
        if self._cancelled.is_set():
            return Ended(-signal.SIGKILL, CANCELLED, 0)
        if job.step.with_users_programs:
            return self._here.run(job)
        user = os.getuid() or _NOBODY
        make_readable(path for path in job.readable if path.is_relative_to(self._work))
        give(job.folder, user)
        with daemon_faults(f"{job.step.name} cannot run"), disk_faults(job.log):
            container = self._create(job, user)
            try:
                # Attached before it starts, so that nothing it prints is lost, and nothing is kept
                # twice: the Docker Engine writes no log of its own.
                log = ContainerLog(container.attach(stdout=True, stderr=True, stream=True), job.log)
                log.start()
                container.start()
                ended = self._wait(container, job, log)
            finally:
                # Where that fails, ``close`` and the next start try again.
                with contextlib.suppress(api_error()):
                    self._remove(container.id)
            if log.error is not None:
                raise log.error
        take_back(job.folder)
        return ended

    def _create(self, job: Job, user: int) -> Any:
        memory_bytes = int(job.step.memory_gb * 1e9)
        scratch = str(job.folder / "tmp")
        return self._client.containers.create(
            self._images[job.step.image].digest,
            job.arguments("0" if job.gpu else None),
            device_requests=gpu_requests(job),
            user=f"{user}:{os.getgid() or _NOBODY}",
            userns_mode="host" if self._remapped else None,
            read_only=True,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=memory_bytes,
            memswap_limit=memory_bytes,
            nano_cpus=nano_cpus(job.step),
            pids_limit=4096,
            ulimits=[processor_time(job.step)],
            init=True,
            # The images' health line would import the frameworks once a minute beside the step.
            healthcheck={"test": ["NONE"]},
            log_config={"type": "none"},
            mounts=list(mounts(job)),
            working_dir=str(job.folder),
            environment={"TMPDIR": scratch, "HOME": scratch},
            labels={_WORK_LABEL: str(self._work), _OWNER_LABEL: _owner()},
        )

    def _wait(self, container: Any, job: Job, log: ContainerLog) -> Ended:
        """Watch the container until it ends, and read its exit code before it is removed."""
        deadline, reason, pause_s = time.monotonic() + job.step.time_limit_s, EXITED, _SOON_S
        while True:
            container.reload()
            state = container.attrs["State"]
            if state["Status"] in ("exited", "dead"):
                break
            if reason == EXITED and self._cancelled.is_set():
                reason = CANCELLED
            elif reason == EXITED and time.monotonic() > deadline:
                reason = OUT_OF_TIME
            if reason != EXITED or log.error is not None:
                kill(container)
            if log.is_alive():
                log.join(_POLL_S)  # the end of the output most often is the end of the container
            else:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _POLL_S)
        log.join()
        code = exit_code(state["ExitCode"])
        if reason == EXITED and code != 0 and out_of_memory(container, code):
            return Ended(code, OUT_OF_MEMORY, int(job.step.memory_gb * 1e9))
        return Ended(code, reason, 0)

    def cancel(self) -> None:
        """See ``Runner``."""
        self._cancelled.set()
        self._here.cancel()

    def close(self) -> None:
        """See ``Runner``.

        Raises:
            UserError: A container cannot be removed.
        """
        self._here.close()
        with daemon_faults("containers of this run cannot be removed"):
            for found in self._containers(f"{_WORK_LABEL}={self._work}"):
                self._remove(found["Id"])
        self._client.close()

    def _containers(self, label: str) -> list[Any]:
        """Return id and labels of all containers with a label, in whichever state they are."""
        return self._client.api.containers(all=True, filters={"label": label})

    def _remove(self, container: str) -> None:
        """End and remove a container, or find that somebody else is doing it."""
        try:
            self._client.api.remove_container(container, force=True)
        except api_error() as error:
            if error.status_code not in (_NOT_FOUND, CONFLICT):
                raise


def _may_live(work: Path) -> bool:
    """Whether the run with this scratch folder lives, or nobody can say."""
    try:
        return is_held(work)
    except OSError:  # its lock is another user's, or on a disk that is read-only now
        return True


def _owner() -> str:
    """Return who may judge from a lock of this machine whether a run is alive."""
    return f"{os.getuid()}@{platform.node()}"
