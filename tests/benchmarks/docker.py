"""What the docker engine costs beside `docker run` of the same steps, and how large images are.

Part of ``python -m tests.benchmarks``: ``docker``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engines.machine.docker import DockerRunner
from pipelines.engines.machine.ownership import give, make_readable, take_back
from pipelines.engines.machine.runner import Ended, Job

if TYPE_CHECKING:
    from tests.benchmarks.table import Row

TINY = Path(__file__).parents[1] / "data" / "tiny.yaml"
NOBODY = 65532
LARGEST = {"light": "< 300", "device": "< 400"}


class BesideDockerRun(DockerRunner):
    """Runs one step at a time, each twice: by the command line of Docker, then as the engine does.

    Args:
        work: See ``DockerRunner``.

    Attributes:
        alone_s: Wall time of `docker run` by step.
        waited_s: By step, what of its wall time is not the engine's: its turn and `docker run`.
    """

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        self.alone_s: dict[str, float] = {}
        self.waited_s: dict[str, float] = {}
        self._turn = threading.Lock()

    def run(self, job: Job) -> Ended:
        """See ``Runner``."""
        entered = time.monotonic()
        with self._turn:
            self.alone_s[job.step.name] = self._alone(job)
            self.waited_s[job.step.name] = time.monotonic() - entered
            return super().run(job)

    def _alone(self, job: Job) -> float:
        user = os.getuid() or NOBODY
        make_readable(path for path in job.readable if path.is_relative_to(self._work))
        give(job.folder, user)
        command = ["docker", "run", *options(job, user)]
        command.append(self._images[job.step.image].digest)
        command += [job.step.component, "--executor-input", f"@{job.executor_input}"]
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        spent = time.monotonic() - began
        take_back(job.folder)
        for path in job.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != job.executor_input:
                path.unlink()
        return spent


def options(job: Job, user: int) -> Iterator[str]:
    """Yield what a careful person would give `docker run`: the same walls and limits."""
    yield from ("--rm", "--init", "--read-only", "--network=none", "--cap-drop=ALL")
    yield from ("--security-opt=no-new-privileges", "--no-healthcheck", f"--user={user}:{user}")
    yield f"--memory={int(job.step.memory_gb * 1e9)}"
    yield f"--workdir={job.folder}"
    yield from (f"--env=TMPDIR={job.folder}/tmp", f"--env=HOME={job.folder}/tmp")
    for path in job.readable:
        yield f"--mount=type=bind,src={path},dst={path},readonly"
    yield f"--mount=type=bind,src={job.folder},dst={job.folder}"


def bench_docker(scratch: Path) -> list[Row]:
    """Image sizes, and each step of a small run beside `docker run` of the same step, in turn."""
    from components.contract.errors import UserError
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.disk.scratch import scratch_folder
    from pipelines.engines.machine.scheduler import Scheduler
    from pipelines.images.building import IMAGES, find
    from pipelines.images.daemon import connect
    from pipelines.runs.cache import Cache
    from pipelines.runs.live.events import StepDone
    from pipelines.sources.snapshot import snapshots
    from pipelines.stores.opening import open_store
    from tests.benchmarks.table import Row

    try:
        client = connect()
        images = [find(client, image) for image in IMAGES]
    except UserError as error:
        print(f"rows of docker left out: {error}", file=sys.stderr)
        return []
    graph = graph_of(load(TINY))
    with scratch_folder(scratch / "work", "bench") as work:
        runner = BesideDockerRun(work)
        scheduler = Scheduler(runner, Cache(open_store(str(scratch / "store")), work), work)
        ended = list(scheduler.submit(graph, snapshots(graph.sources), "bench"))
    walls = {event.step: event.wall_s for event in ended if isinstance(event, StepDone)}
    engine = {name: walls[name] - waited for name, waited in runner.waited_s.items()}
    alone = runner.alone_s
    return [
        *(Row(f"image {item.image}", item.size_bytes / 1e6, "MB", LARGEST.get(item.image, ""))
          for item in images),
        Row(f"engine docker, {len(engine)} steps against docker run alone",
            sum(engine.values()) / sum(alone.values()), "x", "<= 1.2"),
        Row("... the worst step", max(engine[name] / alone[name] for name in engine), "x", ""),
        Row("... beyond docker run, median step",
            statistics.median(engine[name] - alone[name] for name in engine), "s", ""),
    ]  # fmt: skip
