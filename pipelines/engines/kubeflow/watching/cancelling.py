"""Cancelling: the runs of Kubeflow that carry out a launch are ended, whoever watches them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.connection import Connection, Resource
from pipelines.engines.kubeflow.launching.launch_record import launch_of
from pipelines.engines.kubeflow.launching.submitting import terminate
from pipelines.engines.kubeflow.watching.status import FINAL
from pipelines.runs.live.cancelling import RunEndedError

_CLOCKS_APART = timedelta(hours=1)
"""The clock of the server and that of whoever launched may differ by so much."""


def end_launch(connection: Connection, run: str, started: str) -> None:
    """End what the server still runs of a launch.

    Args:
        connection: The server.
        run: Identifier of the run.
        started: When it began, as its record says.

    Raises:
        RunEndedError: It has ended there.
        UserError: The server has no such run, or does not end it.
    """
    parts = list(_parts(connection, run, datetime.fromisoformat(started)))
    going = [part for part in parts if part.state not in FINAL]
    for part in going:
        terminate(connection, part.run_id)
    if going:
        return
    if not parts:
        raise UserError(
            f"{connection.host} has no run {run}",
            "name the server and the namespace that it runs on: --host URL, --namespace NAME",
        )
    raise RunEndedError(
        f"the run {run} has ended in the cluster: {parts[0].state.lower()}",
        f"slimline sync {connection.options} imports what it made",
    )


def _parts(connection: Connection, run: str, started: datetime) -> Iterator[Resource]:
    """Yield the runs of a launch, newest first."""
    rows = connection.all(
        connection.runs.run_service_list_runs,
        "runs",
        namespace=connection.namespace,
        sort_by="created_at desc",
    )
    for row in rows:
        if row.created_at.astimezone(UTC) < started - _CLOCKS_APART:
            return
        if not row.recurring_run_id and launch_of(row.display_name)[0] == run:
            yield row
