"""Failures: which step of a run failed, what it said last, and whether trying again can help."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from components.contract.execution import USER_FAULT
from pipelines.engines.kubeflow.api.connection import Resource
from pipelines.engines.kubeflow.watching import status
from pipelines.engines.kubeflow.watching.status import DRIVER, ROOT
from pipelines.engines.kubeflow.watching.step_logs import LastWords, StepLogs
from pipelines.runs.graph import Graph, SourceRef, Step
from pipelines.runs.live.events import StepFailed

NAMESPACE = "kubeflow"
"""Where pods of an installation for one user run."""

_IMPORTER = "source-"

_WRONG_GRAPH = re.compile(
    r"neither value nor default value provided|type mismatch: expect|got null for input parameter"
    r"|unmarshal|(is|are) required$|cannot find (input|output)|conflicts with|not found in inputs"
    r"|unknown image name|must (use|specify|be)"
)
"""What a driver says of a graph that no second attempt makes right (backend/src/v2/driver)."""


@dataclass(frozen=True)
class StepFailure:
    """Why a step has no result.

    Attributes:
        step: Name of the step.
        what: What happened and where.
        fix: What the user can do.
        user_fault: False when it is our bug.
        retriable: Whether the same may end well when it is tried again.
        log: What the step had printed; None where nobody knows.
    """

    step: str
    what: str
    fix: str
    user_fault: bool
    retriable: bool
    log: str | None = None

    def event(self, note: str = "") -> StepFailed:
        """Return the event, with a note on what became of further attempts."""
        what = f"{self.what}; {note}" if note else self.what
        return StepFailed(self.step, what, self.fix, self.user_fault, "")


class Failures:
    """Finds out why a run failed.

    Args:
        logs: The logs of its steps.
        graph: What it consists of.
        page: Where the user interface shows it.
        namespace: Of its pods; empty is the installation's own.
        fits: The graph was found to fit the server before it was submitted.
    """

    def __init__(
        self, logs: StepLogs, graph: Graph, page: str, namespace: str, *, fits: bool = False
    ) -> None:
        self._logs = logs
        self._graph = graph
        self._page = page
        self._namespace = namespace or NAMESPACE
        self._fits = fits

    def of(self, run: Resource, done: Collection[str]) -> list[StepFailure]:
        """Return what failed in a run that did; at least one failure, so that a step is named.

        Args:
            run: The run as the API tells of it.
            done: The steps whose results are there.
        """
        steps = self._graph.by_name
        found: dict[str, StepFailure] = {}
        for name in status.failed(run, self._graph):
            if name in steps:
                failures = [self._of_step(run, name)]
            elif name == f"{ROOT}{DRIVER}":
                failures = [self._of_driver(run, self._first(done), name, "the run's driver")]
            elif name.removesuffix(DRIVER) in steps:
                failures = [self._of_driver(run, name.removesuffix(DRIVER), name, "its driver")]
            else:
                failures = list(self._of_importer(run, name, done))
            for failure in failures:
                found.setdefault(failure.step, failure)
        # The server's list may have stood still long before the step that failed.
        told = [failure for step, failure in found.items() if step not in done]
        return told or self._unlisted(run, done) or [self._unnamed(run, done)]

    def _of_step(self, run: Resource, step: str) -> StepFailure:
        log = self._logs.of_step(run, step)
        if log is None:
            return StepFailure(
                step,
                f"{step}: failed in the cluster, which has kept nothing of what it said",
                self._look(run, step),
                user_fault=True,
                retriable=True,
            )
        return replace(self._of_words(run, step, LastWords.of(log)), log=log)

    def _of_words(self, run: Resource, step: str, words: LastWords) -> StepFailure:
        if words.code == USER_FAULT:
            fix = words.fix or self._look(run, step)
            return StepFailure(step, f"{step}: {words.what}", fix, user_fault=True, retriable=False)
        if words.code is None:
            component = self._graph.by_name[step].component
            last = f"; its last words: {words.what}" if words.what else ""
            return StepFailure(
                step,
                f"{step}: was killed: it took too much memory, ran too long, or its node went "
                f"away{last}",
                f"raise memory_gb or minutes of {component} in kubeflow.resources; what the "
                f"cluster knows: {self._page}",
                user_fault=True,
                retriable=True,
            )
        return StepFailure(
            step,
            f"{step}: ended with a bug of slimline (exit code {words.code}): {words.what}",
            f"its log has the traceback: {self._page}",
            user_fault=False,
            retriable=True,
        )

    def _of_driver(self, run: Resource, step: str, node: str, which: str) -> StepFailure:
        log = self._logs.of_task(run, node)
        said = LastWords.of(log).what if log else ""
        wrong = bool(log and _WRONG_GRAPH.search(log))
        return StepFailure(
            step,
            f"{step}: could not start, because {which} ({node}) failed"
            f"{f': {said}' if said else ''}",
            self._look(run, node),
            user_fault=not wrong,
            retriable=not wrong,
        )

    def _of_importer(
        self, run: Resource, name: str, done: Collection[str]
    ) -> Iterator[StepFailure]:
        """Tell of an importer at the steps that read what it imports."""
        log = self._logs.of_task(run, name, importer=True)
        said = LastWords.of(log).what if log else ""
        readers = [step.name for step in self._graph.ordered if _reads(step, name)]
        for step in readers or [self._first(done)]:
            yield StepFailure(
                step,
                f"{step}: could not start, because the import of {name} failed"
                f"{f': {said}' if said else ''}",
                self._look(run, name, importer=True),
                user_fault=True,
                retriable=True,
            )

    def _unlisted(self, run: Resource, done: Collection[str]) -> list[StepFailure]:
        """Return the failures that the pipeline root tells of: a log, and no result."""
        found: list[StepFailure] = []
        for step in self._candidates(done):
            if (log := self._logs.kept(step)) is not None:
                words = LastWords.of(log)
                if words.code:  # a step that was going on when the run ended says none
                    found.append(replace(self._of_words(run, step, words), log=log))
        return found

    def _unnamed(self, run: Resource, done: Collection[str]) -> StepFailure:
        """Return the failure of a run of which no step failed that anybody could name."""
        candidates = self._candidates(done)
        could = f"it came to {', '.join(candidates[:5])}" if candidates else "no step was left"
        count = f"{len(self._graph.steps)} steps"
        if status.stands_still(run) and self._fits:
            return StepFailure(
                self._first(done),
                f"the run failed, and the server's list of tasks stood still before it did, so "
                f"nobody names what failed, a lost pod say; {could}",
                f"kubectl describe workflow -n {self._namespace} {status.workflow_of(run) or ''}; "
                "where it says that a request entity is too large, give the bytes that this "
                f"cluster takes as kubeflow.workflow_bytes; {self._page}",
                user_fault=True,
                retriable=True,
            )
        if status.stands_still(run):
            return StepFailure(
                self._first(done),
                f"the run failed and no step of it did: with {count} its Workflow is probably too "
                f"large for the cluster; {could}",
                "compute fewer variants in one run; where the cluster's Argo keeps the state of "
                f"nodes in a database, raise kubeflow.workflow_bytes; {self._page}",
                user_fault=True,
                retriable=False,
            )
        return StepFailure(
            self._first(done),
            f"the run failed, and the server names no step of it that did; {could}",
            f"kubectl describe workflow -n {self._namespace} {status.workflow_of(run) or ''}"
            f"; {self._page}",
            user_fault=True,
            retriable=True,
        )

    def _candidates(self, done: Collection[str]) -> list[str]:
        """Return the steps without a result whose inputs are all there."""
        return [
            step.name
            for step in self._graph.ordered
            if step.name not in done
            and all(ref.step in done or ref.step not in self._graph.by_name for ref in step.refs)
        ]

    def _first(self, done: Collection[str]) -> str:
        candidates: Sequence[str] = self._candidates(done)
        return candidates[0] if candidates else self._graph.ordered[-1].name

    def _look(self, run: Resource, task: str, *, importer: bool = False) -> str:
        """Say where the log of a task is, as long as its pod is there."""
        pod = self._logs.newest_pod(run, task, importer=importer)
        command = f"{pod.kubectl(self._namespace)}, or " if pod else ""
        return f"look at its log: {command}{self._page}"


def _reads(step: Step, importer: str) -> bool:
    return any(
        isinstance(flow, SourceRef) and f"{_IMPORTER}{flow.name}" == importer
        for flow in step.inputs.values()
    )
