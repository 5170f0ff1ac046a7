"""Engines: what runs a graph. Loaded by name and only when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from pipelines.runs.graph import Graph
from pipelines.sources.snapshot import Source


@dataclass(frozen=True)
class StepStarted:
    """A step's process or container has been started."""

    step: str
    log: str


@dataclass(frozen=True)
class StepDone:
    """A step's result is durable in the store.

    Attributes:
        step: Name of the step.
        key: Its step key.
        outputs: Tree digest of every output.
        record: Store key of the record that says how it came to be.
        cached: The result was there before.
        function_s: Wall time of the component's function when it ran.
        wall_s: Wall time that the engine spent on the step in this run.
    """

    step: str
    key: str
    outputs: Mapping[str, str]
    record: str
    cached: bool
    function_s: float
    wall_s: float


@dataclass(frozen=True)
class StepFailed:
    """A step ended without a result; nothing starts after it, and what runs is let finish.

    Attributes:
        step: Name of the step.
        what: What happened and where.
        fix: What the user can do.
        user_fault: False when it is our bug.
        record: Store key of the record of the failure.
    """

    step: str
    what: str
    fix: str
    user_fault: bool
    record: str


@dataclass(frozen=True)
class StepSkipped:
    """A step without a result, because something before it failed or the run was cancelled."""

    step: str


Event = StepStarted | StepDone | StepFailed | StepSkipped


@dataclass(frozen=True)
class Cluster:
    """Where an engine that is not of this machine runs a graph.

    Attributes:
        host: Address of its API; None is the environment's.
        namespace: The user's; None where there is only one.
        cancel_on_interrupt: End the run there when the process here is interrupted; otherwise the
            run goes on without it.
    """

    host: str | None = None
    namespace: str | None = None
    cancel_on_interrupt: bool = False


class Engine(Protocol):
    """Runs a graph and says what happens."""

    name: str

    @property
    def page(self) -> str | None:
        """Address of the engine's own view of the run, if it has one."""
        ...

    @property
    def detached(self) -> bool:
        """Whether a run lives on when this process dies."""
        ...

    @property
    def still_running(self) -> bool:
        """Whether the run goes on although ``submit`` has ended."""
        ...

    def submit(self, graph: Graph, sources: Mapping[str, Source], run: str) -> Iterator[Event]:
        """Run every step whose result is not there yet.

        Args:
            graph: What to run.
            sources: Snapshot of every source of the graph, which the engine stages.
            run: Identifier of the run, under which records and logs are kept.

        Yields:
            One ``StepDone``, ``StepFailed`` or ``StepSkipped`` for every step, and a
            ``StepStarted`` before for those that are executed.
        """
        ...

    def cancel(self) -> None:
        """End everything that runs; ``submit`` then yields the rest as skipped."""
        ...
