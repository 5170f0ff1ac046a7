"""Left runs: those that a process launched which is gone, and that another one goes on with."""

from __future__ import annotations

from collections.abc import Iterator

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.launching.launch_record import (
    LaunchRecord,
    newest,
    parts_of,
    read_launch,
)
from pipelines.runs.kept.cluster_results import KUBEFLOW
from pipelines.runs.records import RunRecord, parse_record, run_ids
from pipelines.stores.layout import RUNS, run_key, started_key
from pipelines.stores.store import KeyMissing, Store

_ENDED_BADLY = ("FAILED", "CANCELED", "CANCELING", "SKIPPED")


def left_run(
    store: Store, root: Store, connection: Connection, wanted: LaunchRecord, graph_name: str
) -> str | None:
    """Return the newest run of the same that this store knows no end of, or None.

    A run whose steps failed, or that was cancelled, is none of them: what it made counts for a new
    one.

    Args:
        store: Where it was written down when it began.
        root: The pipeline root, where it says what it decided.
        connection: The API server.
        wanted: What is to run now; its plan does not matter.
        graph_name: Name of the graph.
    """
    for record in _without_end(store, graph_name):
        if record.graph_digest != wanted.graph or record.sources != wanted.sources:
            continue
        try:
            left = read_launch(root, record.run)
            if left is None or (left.config, left.images) != (wanted.config, wanted.images):
                continue
            last = newest(parts_of(root, record.run))
        except UserError:  # damaged: a run of its own decides anew
            continue
        if last is None or _counts(connection, last.kfp_run):
            return record.run
    return None


def _counts(connection: Connection, kfp_run: str) -> bool:
    """Whether a run of Kubeflow is under way, or has ended well."""
    try:
        seen = connection.ask(connection.runs.run_service_get_run, kfp_run)
    except LookupError:  # somebody deleted it
        return False
    return seen.state not in _ENDED_BADLY


def _without_end(store: Store, name: str) -> Iterator[RunRecord]:
    """Yield the runs of a configuration on a cluster whose end is not recorded, newest first."""
    launched = run_ids(name)
    keys = set(store.list(f"{RUNS}{name}-"))
    runs = {run for key in keys if launched.fullmatch(run := key[len(RUNS) :].partition("/")[0])}
    for run in sorted(runs, key=lambda run: run[len(name) :], reverse=True):
        if started_key(run) not in keys or run_key(run) in keys:
            continue
        try:
            record = parse_record(store.get(started_key(run)))
        except (KeyMissing, ValueError):
            continue
        if record.engine == KUBEFLOW:
            yield record
