"""What executes one step on this machine: its job, who runs it, and how it can end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.runs.graph import Graph, Step

CANCELLED, OUT_OF_MEMORY, OUT_OF_TIME, EXITED = "cancel", "memory", "time", "exit"


@dataclass(frozen=True)
class Ended:
    """How a step's process or container ended.

    Attributes:
        code: Exit code; negative, the signal's number.
        reason: ``EXITED``, or why the engine ended it.
        peak_rss_bytes: Highest resident size of all its processes that was seen.
    """

    code: int
    reason: str
    peak_rss_bytes: int


def progress_file(work: Path, step: str) -> Path:
    """Return where a step tells how far it is: in its own folder, so no reader may trust it."""
    return work / "steps" / step / "progress.jsonl"


@dataclass(frozen=True)
class Job:
    """One step, ready to execute.

    Attributes:
        step: Which step.
        folder: Its own writable folder.
        readable: What the executor input names, or links lead to: to be mounted read-only.
        executor_input: Path of the executor input inside ``folder``.
        log: Where the step's output goes: outside ``folder``, where no step can put a link.
        attempt: Which attempt of the step within its run, from 1.
        gpu: The GPU that it was given, ``GPU-...``, or None.
    """

    step: Step
    folder: Path
    readable: tuple[Path, ...]
    executor_input: Path
    log: Path
    attempt: int = 1
    gpu: str | None = None

    def arguments(self, gpu: str | None) -> list[str]:
        """Return what ``python -m components`` is called with.

        Args:
            gpu: How the step sees its GPU; in a container it is the first one that there is.
        """
        on_gpu = ["--gpu", gpu] if gpu else []
        return [self.step.component, *on_gpu, "--executor-input", f"@{self.executor_input}"]


class Runner(Protocol):
    """Executes jobs; one instance a run."""

    name: str

    def prepare(self, graph: Graph) -> None:
        """Check that everything the graph's steps run in is there; start what takes long."""
        ...

    def run(self, job: Job) -> Ended:
        """Execute a job and wait for its end."""
        ...

    def environment(self, step: Step) -> str:
        """Return the digest of the environment that the step runs in, part of its key."""
        ...

    def image_digest(self, step: Step) -> str | None:
        """Return the digest of the image that the step runs in, or None without images."""
        ...

    def cancel(self) -> None:
        """End every job, and those that are still to come."""
        ...

    def close(self) -> None:
        """Leave no process behind."""
        ...
