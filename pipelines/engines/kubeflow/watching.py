"""Watching: one run of Kubeflow, of a whole graph or of a part of one, from its start to its end.

What it makes is imported as soon as it is there; who submitted the run, and what comes after it, is
no matter here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from components.contract.errors import UserError
from pipelines.engines.kubeflow import status, submitting
from pipelines.engines.kubeflow.connection import Connection, Resource
from pipelines.engines.kubeflow.result_importer import ResultImporter
from pipelines.runs.events import StepEvent, StepFailed, StepSkipped, StepStarted
from pipelines.runs.graph import Graph, Step

POLL_S, POLL_MAX_S = 1.0, 10.0
"""The first wait between two questions how the run is, and the longest."""


class Watcher:
    """Looks on while one run of Kubeflow carries out a graph.

    Args:
        connection: The API server.
        graph: What the run consists of: the whole graph, or the part of it that was submitted.
        kfp_run: Kubeflow's identifier of the run.
        importer: Brings home what the run makes.
        interrupted: Set when this process is to stop looking on.
        cancel_on_interrupt: End the run then; otherwise it goes on without this process.

    Attributes:
        outcome: How the run is: ``running`` until ``watch`` has seen its end.
        page: Where the user interface shows it.
    """

    def __init__(
        self,
        connection: Connection,
        graph: Graph,
        kfp_run: str,
        importer: ResultImporter,
        *,
        interrupted: threading.Event,
        cancel_on_interrupt: bool,
    ) -> None:
        self._connection = connection
        self._graph = graph
        self._kfp_run = kfp_run
        self._importer = importer
        self._interrupted = interrupted
        self._cancel_on_interrupt = cancel_on_interrupt
        self._started: set[str] = set()
        self.outcome: status.Outcome = "running"
        self.page = connection.page_of(kfp_run)

    def watch(self) -> Iterator[StepEvent]:
        """Say what happens until the run has ended, or this process is to stop looking on.

        Yields:
            ``StepStarted`` for what begins, ``StepDone`` for what has been imported, and at the
            end of the run ``StepFailed`` or ``StepSkipped`` for every other step of ``graph``;
            nothing for those when it returns while the run goes on (``outcome`` is ``running``).

        Raises:
            UserError: The server cannot be asked, or what the run made is not what it says.
        """
        seen = self._look()
        wait_s = POLL_S
        terminated = False
        while seen.state not in status.FINAL:
            yield from self._progress(seen)
            if terminated:
                time.sleep(wait_s)
            elif self._interrupted.wait(wait_s):
                if not self._cancel_on_interrupt:
                    return
                submitting.terminate(self._connection, self._kfp_run)
                terminated = True
            wait_s = min(1.2 * wait_s, POLL_MAX_S)
            seen = self._look()
        yield from self._end(seen)

    def _look(self) -> Resource:
        """Ask how the run is."""
        try:
            return self._connection.ask(self._connection.runs.run_service_get_run, self._kfp_run)
        except UserError as error:
            raise UserError(
                f"{error.what}; the run goes on in the cluster: {self.page}",
                f"{error.fix}; when it has ended: slimline sync {self._connection.options}",
            ) from error

    def _progress(self, seen: Resource) -> Iterator[StepEvent]:
        """Tell what has begun, and import what was executed to its end."""
        states, cached = status.states(seen), status.cached(seen)
        for step in self._graph.ordered:
            state = states.get(step.name)
            if state is None or step.name in self._importer.done or step.name in cached:
                continue
            if step.name not in self._started:
                self._started.add(step.name)
                yield StepStarted(step.name, self.page)
            if state == "SUCCEEDED" and self._importer.find(step) is not None:
                yield self._importer.import_step(step, status.wall_s(seen, step.name))

    def _end(self, seen: Resource) -> Iterator[StepEvent]:
        imported = self._importer.import_all(complete=seen.state == "SUCCEEDED")
        self.outcome = status.outcome_of(seen)
        yield from imported
        states = status.states(seen)
        for step in self._graph.ordered:
            if step.name in self._importer.done:
                continue
            if states.get(step.name) == "FAILED":
                yield self._failed(seen, step)
            else:
                yield StepSkipped(step.name)

    def _failed(self, seen: Resource, step: Step) -> StepFailed:
        what, fix, user_fault = status.failure(seen, step.name, self.page)
        return StepFailed(step.name, what, fix, user_fault, "")
