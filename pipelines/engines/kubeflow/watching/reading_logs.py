"""Reading logs: what a step of a run in a cluster printed, wherever that still is.

The store has the log of what failed. Of all else the pipeline root has it, where the launcher put
it beside the results; of what runs, and of what the launcher kept nothing, the server reads the pod
while it is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from components.contract.errors import UserError, suggest
from pipelines.engines.kubeflow.api.connection import Connection, Resource, equals
from pipelines.engines.kubeflow.bucket.pipeline_root import open_root
from pipelines.engines.kubeflow.watching import status
from pipelines.engines.kubeflow.watching.failures import NAMESPACE
from pipelines.engines.kubeflow.watching.pods import pods_of
from pipelines.engines.kubeflow.watching.step_logs import StepLogs, newest_log
from pipelines.runs.records import RunRecord, read_value
from pipelines.runs.step_records import read_record
from pipelines.stores.layout import log_key
from pipelines.stores.store import KeyMissing, Store

POLL_S = 5.0
"""How often a log that is followed is asked for: the server sends no more than what is there."""

Connect = Callable[[str | None], Connection]
"""Connects to the API server at an address; None is the environment's."""


def read_cluster_log(store: Store, record: RunRecord, step: str, connect: Connect) -> str:
    """Return what the newest attempt of a step has printed.

    Args:
        store: Where the run is.
        record: The run.
        step: Name of the step.
        connect: Used only where neither the store nor the pipeline root has the log.

    Raises:
        UserError: There is no such step, it never ran, or nobody has its log any more.
    """
    _check_known(record, step)
    kept = _in_store(store, record, step)
    kept = _in_root(store, record, step) if kept is None else kept
    return _ServedLog(record, step, connect).log() if kept is None else kept


def follow_cluster_log(
    store: Store, record: RunRecord, step: str, connect: Connect
) -> Iterator[str]:
    """Yield what a step prints, as the server tells it, until the step has ended.

    What a further attempt prints follows what the one before did.

    Args:
        store: Where the run is.
        record: The run.
        step: Name of the step, which need not have started.
        connect: Connects to the API server.

    Raises:
        UserError: There is no such step, or the server gives no logs of pods that run.
    """
    _check_known(record, step)
    if record.outcome != "running":
        yield read_cluster_log(store, record, step, connect)
        return
    asked = _ServedLog(record, step, connect)
    told = ""
    while True:
        run = asked.run()
        state = status.states(run).get(step)
        log = asked.logs(run).of_step(run, step)
        if log is not None:
            yield log.removeprefix(told)
            told = log
        over = run.state in status.FINAL or state in status.FINAL
        if over and log is None:
            raise asked.nowhere(run)
        if over:
            return
        if state == "RUNNING" and log is None:
            raise asked.unreadable(run)
        time.sleep(POLL_S)


class _ServedLog:
    """What the API server says of one step of a run.

    Args:
        record: The run.
        step: Name of the step.
        connect: Connects to the server.
    """

    def __init__(self, record: RunRecord, step: str, connect: Connect) -> None:
        host, _, kfp_run = (record.page or "").partition("/#/runs/details/")
        self._connection = connect(host or None)
        self._record = record
        self._step = step
        self._kfp_run = kfp_run

    def run(self) -> Resource:
        """Ask how the run is."""
        connection = self._connection
        if not self._kfp_run:  # its page is written down when it has ended
            rows = connection.all(
                connection.runs.run_service_list_runs,
                "runs",
                namespace=connection.namespace,
                filter=equals("display_name", self._record.run),
                sort_by="created_at asc",
            )
            self._kfp_run = next((row.run_id for row in rows), "")
        try:
            if self._kfp_run:
                return connection.ask(connection.runs.run_service_get_run, self._kfp_run)
        except LookupError:
            pass
        raise UserError(
            f"{connection.host} has no run {self._kfp_run or self._record.run}",
            "name the installation that it runs on with --host",
        )

    def logs(self, run: Resource) -> StepLogs:
        """Return where the logs of the run's steps are."""
        root = open_root(run.runtime_config.pipeline_root)
        return StepLogs(self._connection, root, self._record.name, run.run_id)

    def log(self) -> str:
        """Return the log that there is now."""
        run = self.run()
        log = self.logs(run).of_step(run, self._step)
        if log is None:
            raise self.nowhere(run)
        return log

    def nowhere(self, run: Resource) -> UserError:
        """Return the error for a log that nobody has."""
        step, state = self._step, status.states(run).get(self._step)
        if state is None:
            return UserError(
                f"{step} of run {self._record.run} has not started, or its result was taken from "
                "an earlier run",
                f"slimline logs {self._record.run} {step} --follow waits for it; what the cluster "
                f"knows: {self._connection.page_of(run.run_id)}",
            )
        return UserError(
            f"nobody has the log of {step} of run {self._record.run}, which is {state}: nothing "
            "lies beside its results, and the server cannot read its pod",
            self._kubectl(run),
        )

    def unreadable(self, run: Resource) -> UserError:
        """Return the error for a log that cannot be followed."""
        return UserError(
            f"{self._connection.host} gives no logs of pods that run, so {self._step} cannot be "
            "followed",
            self._kubectl(run, follow=True),
        )

    def _kubectl(self, run: Resource, *, follow: bool = False) -> str:
        pods = pods_of(run, self._step)
        page = self._connection.page_of(run.run_id)
        if not pods:
            return f"open {page}"
        command = pods[0].kubectl(self._connection.namespace or NAMESPACE)
        return f"{command}{' --follow' if follow else ''}, or open {page}"


def _check_known(record: RunRecord, step: str) -> None:
    if record.steps and step not in record.steps:
        raise UserError(
            f"run {record.run} has no log of a step {step!r}", suggest(step, record.steps)
        )


def _in_store(store: Store, record: RunRecord, step: str) -> str | None:
    try:
        return read_value(store, log_key(record.run, step)).decode(errors="replace")
    except KeyMissing:
        return None


def _in_root(store: Store, record: RunRecord, step: str) -> str | None:
    """Return what lies beside the result of a step, also of one that an earlier run executed."""
    key = record.steps.get(step, {}).get("record")
    made = read_record(store, key) if key else None
    if made is None or not made.folder:
        return None
    place, pipeline, run, task, salt = made.folder.rsplit("/", 4)
    root = open_root(place)
    found = newest_log(root, f"{pipeline}/{run}/{task}/", salt)
    return None if found is None else root.get(found).decode(errors="replace")
