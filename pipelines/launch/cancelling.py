"""Cancelling a run: whoever carries it out is asked, or the cluster that nobody watches."""

from __future__ import annotations

from dataclasses import dataclass

from components.contract.errors import UserError
from pipelines.engines.engine import Cluster
from pipelines.engines.opening import CLUSTERED, connect
from pipelines.launch import detached
from pipelines.runs.live.cancelling import Cancellation, RunEndedError, ask_to_end
from pipelines.runs.live.progress import read_progress
from pipelines.runs.moments import now
from pipelines.runs.records import RunRecord, read_run
from pipelines.stores.layout import run_key, started_key
from pipelines.stores.store import Store


@dataclass(frozen=True)
class Cancelled:
    """A run that is to end.

    Attributes:
        run: Its identifier.
        asked: Who asked for it first, why and when.
        cluster: Whether the cluster was told, since nobody watches the run: then ``slimline sync``
            records how it ended. Otherwise who carries it out ends it within seconds, and records
            that.
    """

    run: str
    asked: Cancellation
    cluster: bool


def cancel_run(
    store: Store, run: str, *, actor: str, reason: str = "", cluster: Cluster | None = None
) -> Cancelled:
    """Have a run end, on whatever machine or cluster it goes on.

    Args:
        store: Where its record is.
        run: Its identifier.
        actor: Who asks.
        reason: Why.
        cluster: Where its cluster is, for a run that nobody watches; None is the environment's.

    Raises:
        RunEndedError: It has ended.
        UserError: There is no such run, or its cluster cannot be told.
    """
    if _is_to_begin(store, run):
        return Cancelled(run, ask_to_end(store, run, actor, reason), cluster=False)
    record = read_run(store, run)
    if record.outcome != "running":
        raise RunEndedError(
            f"the run {run} has ended: {record.outcome}",
            f"slimline show {run} --store {store.uri}",
        )
    asked = ask_to_end(store, run, actor, reason)
    if record.engine not in CLUSTERED or _is_watched(store, run):
        return Cancelled(run, asked, cluster=False)
    try:
        _end_there(record, cluster or Cluster())
    except RunEndedError:
        raise
    except UserError as error:
        raise UserError(
            f"nobody watches the run {run}, and its cluster was not told to end it: {error.what}",
            error.fix,
        ) from error
    return Cancelled(run, asked, cluster=True)


def _is_to_begin(store: Store, run: str) -> bool:
    """Whether this machine has started the run, and it has not begun."""
    if not all(stat is None for stat in store.stat_many([run_key(run), started_key(run)])):
        return False
    state = detached.state(store, run)
    return state is not None and state.what == "not yet"


def _is_watched(store: Store, run: str) -> bool:
    progress = read_progress(store, run)
    return progress is not None and not progress.ended and not progress.silent(now())


def _end_there(record: RunRecord, cluster: Cluster) -> None:
    """Have a cluster end a run.

    Raises:
        UserError: It has no such run or cannot be reached, or the run has ended there.
    """
    if record.engine == "vertex":
        from pipelines.engines.vertex.cancelling import end_job
        from pipelines.engines.vertex.jobs import PipelineJobs
        from pipelines.engines.vertex.place import place_of

        place = place_of(cluster.project, cluster.location, cluster.host)
        end_job(PipelineJobs(place), record.run)
        return
    from pipelines.engines.kubeflow.watching.cancelling import end_launch

    connection = connect(record.engine, cluster.host, cluster.namespace, cluster.auth)
    end_launch(connection, record.run, record.started)
