"""Watching: one run of Kubeflow, of a whole graph or of a part of one, from its start to its end.

What it makes is imported as soon as it is there, and a run that failed is tried again; who
submitted it, and what comes after it, is no matter here.

The server's list of tasks stands still once the Workflow's nodes outgrow what the server reads.
Then the pipeline root tells what is done; what has begun nobody tells any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.connection import Connection, Resource
from pipelines.engines.kubeflow.launching import submitting
from pipelines.engines.kubeflow.results.result_importer import ResultImporter
from pipelines.engines.kubeflow.watching import status
from pipelines.engines.kubeflow.watching.failures import Failures
from pipelines.engines.kubeflow.watching.retrying import LEAVES_S, Refusal, Retries
from pipelines.engines.kubeflow.watching.step_logs import StepLogs
from pipelines.runs.graph import Graph, Step
from pipelines.runs.live.events import (
    RunRetried,
    StepCached,
    StepDone,
    StepEvent,
    StepSkipped,
    StepStarted,
)

POLL_S, POLL_MAX_S = 1.0, 10.0
"""The first wait between two questions how the run is, and the longest."""

STILL_S = 8.0
"""A list that has not changed for so long may stand still: Argo looks at a Workflow every 10 s at
most, and the server at Argo as often."""


class Watcher:
    """Looks on while one run of Kubeflow carries out a graph.

    Args:
        connection: The API server.
        graph: What the run consists of: the whole graph, or the part of it that was submitted.
        kfp_run: Kubeflow's identifier of the run.
        importer: Brings home what the run makes.
        interrupted: Set when this process is to stop looking on.
        cancel_on_interrupt: Whether to end the run then; otherwise it goes on without this process.

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
        cancel_on_interrupt: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._graph = graph
        self._kfp_run = kfp_run
        self._importer = importer
        self._interrupted = interrupted
        self._cancel_on_interrupt = cancel_on_interrupt
        self.outcome: status.Outcome = "running"
        self.page = connection.page_of(kfp_run)
        pipeline = importer.version.graph.name
        logs = StepLogs(connection, importer.root, pipeline, kfp_run)
        self._failures = Failures(
            logs, graph, self.page, connection.namespace, fits=importer.version.fits
        )
        self._retries = Retries(connection, importer.root, importer.version, kfp_run)
        self._prefix = f"{pipeline}/{kfp_run}/"
        self._attempt = 1
        self._note = ""
        self._terminated = False
        self._started: set[str] = set()
        self._cached: set[str] = set()
        self._listed: frozenset[tuple[str, str | None]] = frozenset()
        self._changed = time.monotonic()

    def watch(self) -> Iterator[StepEvent]:
        """Say what happens until the run has ended, or this process is to stop looking on.

        Yields:
            ``StepStarted`` for what begins, ``StepCached`` for what is taken from an earlier run,
            ``StepDone`` for what has been imported, ``RunRetried`` when the run is tried again, and
            at its end ``StepFailed`` or ``StepSkipped`` for every other step of ``graph``; nothing
            for those when it returns while the run goes on (``outcome`` is ``running``).

        Raises:
            UserError: The server cannot be asked, the run is gone, or what it made is not what it
                says.
        """
        while (seen := (yield from self._until_it_ends())) is not None:
            if not (yield from self._again(seen)):
                yield from self._end(seen)
                return

    def _until_it_ends(self) -> Generator[StepEvent, None, Resource | None]:
        """Look on; return the run as it ended, or None where this process is to stop before."""
        wait_s = POLL_S
        seen = self._look()
        while seen.state not in status.FINAL:
            yield from self._progress(seen)
            if self._terminated:
                time.sleep(wait_s)
            elif self._interrupted.wait(wait_s):
                if not self._cancel_on_interrupt():
                    return None
                submitting.terminate(self._connection, self._kfp_run)
                self._terminated = True
            wait_s = min(1.2 * wait_s, POLL_MAX_S)
            seen = self._look()
        return seen

    def _look(self) -> Resource:
        """Ask how the run is."""
        try:
            return self._connection.ask(self._connection.runs.run_service_get_run, self._kfp_run)
        except LookupError:
            self.outcome = "failed"
            raise UserError(
                f"{self._connection.host} has no run {self._kfp_run} any more: somebody deleted it "
                "while it was watched",
                f"run again: what its steps have made is still in {self._importer.root.uri}, and "
                "the cluster takes it from there",
            ) from None
        except UserError as error:
            raise UserError(
                f"{error.what}; the run goes on in the cluster: {self.page}",
                f"{error.fix}; when it has ended: slimline sync {self._connection.options}",
            ) from error

    # while it goes on ---------------------------------------------------------------------------

    def _progress(self, seen: Resource) -> Iterator[StepEvent]:
        """Tell what has begun, and import what was executed to its end."""
        states = status.states(seen)
        for step in self._graph.ordered:
            state = states.get(step.name)
            if state is None or step.name in self._importer.done or step.name in self._cached:
                continue
            if state == "SUCCEEDED" and not self._importer.whole(step):
                self._cached.add(step.name)  # executed to its end, it would have left its results
                yield StepCached(step.name)
                continue
            if step.name not in self._started:
                self._started.add(step.name)
                yield StepStarted(step.name, self.page, self._attempt)
            if state == "SUCCEEDED":
                yield from self._import(step, status.wall_s(seen, step.name))
        listed = status.snapshot(seen)
        if listed != self._listed:
            self._listed, self._changed = listed, time.monotonic()
        elif time.monotonic() - self._changed >= STILL_S:
            yield from self._look_into_the_root()

    def _look_into_the_root(self) -> Iterator[StepEvent]:
        """Import what lies in the pipeline root with all that it declares."""
        keys = self._importer.root.list(self._prefix)
        tasks = {key.removeprefix(self._prefix).partition("/")[0] for key in keys}
        for step in self._graph.ordered:
            if step.name in tasks - self._importer.done.keys() and self._importer.whole(step):
                yield from self._import(step, None)

    def _import(self, step: Step, wall_s: float | None) -> Iterator[StepDone]:
        """Import a step of this run, after what it has read of earlier ones."""
        yield from self._importer.import_inputs(step)
        yield self._importer.import_step(step, wall_s)

    # at its end ---------------------------------------------------------------------------------

    def _again(self, seen: Resource) -> Generator[StepEvent, None, bool]:
        """Have a run that failed tried again, where that may help; True when it goes on."""
        if status.outcome_of(seen) != "failed" or self._interrupted.is_set():
            return False
        yield from self._importer.import_all(complete=False)
        failures = self._failures.of(seen, self._importer.done)
        retry = self._retries.claim(seen, failures)
        if isinstance(retry, Refusal):
            self._note = retry.why
            return False
        why = "; ".join(failure.what.partition("\n")[0] for failure in failures)
        wait_s = self._retries.due_in_s(retry)
        yield RunRetried(retry.number, self._retries.most, retry.steps, why, wait_s)
        if self._interrupted.wait(wait_s):
            self._note = "interrupted before it was tried again"
            return False
        try:
            self._retries.order()
        except (UserError, LookupError) as error:
            self._note = f"it could not be tried again: {str(error).partition(chr(10))[0]}"
            return False
        deadline = time.monotonic() + LEAVES_S
        while self._is_still(retry.failed_at):
            if time.monotonic() > deadline or self._interrupted.wait(POLL_S):
                self._note = (
                    f"it was to be tried again, and the server left it FAILED for {LEAVES_S:g} s"
                )
                return False
        self._attempt = retry.number + 1
        self._started -= set(retry.steps)
        return True

    def _is_still(self, failed_at: str) -> bool:
        """Whether the run is as it was when it failed."""
        seen = self._look()
        return seen.state == "FAILED" and status.failed_at(seen) == failed_at

    def _end(self, seen: Resource) -> Iterator[StepEvent]:
        imported = self._importer.import_all(complete=seen.state == "SUCCEEDED")
        self.outcome = status.outcome_of(seen)
        yield from imported
        told = set(self._importer.done)
        if self.outcome == "failed":
            for failure in self._failures.of(seen, told):
                told.add(failure.step)
                self._importer.keep_log(failure.step, failure.log)
                yield failure.event(self._note)
        killed = status.states(seen)
        for step in self._graph.ordered:
            if step.name not in told:
                yield StepSkipped(step.name, cancelled=killed.get(step.name) == "FAILED")
