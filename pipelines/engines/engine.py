"""What an engine is: it runs a graph and says what happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipelines.config.kubeflow_auth import Auth
    from pipelines.runs.graph import Graph
    from pipelines.runs.live.events import StepEvent
    from pipelines.sources.snapshot import Snapshot


@dataclass(frozen=True)
class Cluster:
    """Where an engine that is not of this machine runs a graph.

    Attributes:
        host: Address of its API; None is the environment's.
        namespace: The user's; None where there is only one.
        auth: What says who asks, instead of what the configuration says.
        project: Google Cloud's, for Vertex AI; None is the configuration's.
        location: Its region; None is the configuration's.
        cancel_on_interrupt: End the run there when the process here is interrupted; otherwise the
            run goes on without it.
    """

    host: str | None = None
    namespace: str | None = None
    auth: Auth | None = None
    project: str | None = None
    location: str | None = None
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

    def submit(
        self, graph: Graph, sources: Mapping[str, Snapshot], run: str
    ) -> Iterator[StepEvent]:
        """Run every step whose result is not there yet.

        Args:
            graph: What to run.
            sources: Snapshot of every source of the graph, which the engine stages.
            run: Identifier of the run, under which records and logs are kept.

        Yields:
            One ``StepDone``, ``StepFailed`` or ``StepSkipped`` for every step, and a
            ``StepStarted`` before for those that are executed; a ``StepWaiting`` whenever one
            could run and waits.
        """
        ...

    def left(self, graph: Graph, sources: Mapping[str, Snapshot]) -> str | None:
        """Return the run that a process which is gone has left, and that ``submit`` goes on with.

        Args:
            graph: What is to run.
            sources: Snapshot of every source of the graph.

        Returns:
            Its identifier, or None where there is none and the run to come is a new one.
        """
        ...

    def cancel(self, *, for_good: bool = False) -> None:
        """End everything that runs; ``submit`` then yields the rest as skipped.

        Args:
            for_good: Also end what would go on without this process, as ``detached`` says.
        """
        ...
