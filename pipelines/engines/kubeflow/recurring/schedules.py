"""Schedules: recurring runs that are named, checked, and replaced without a gap.

A recurring run of Kubeflow cannot be changed, and its name is not unique. So a schedule is what
carries its name and slimline's mark; replacing it is creating another, looking at what was really
created, and only then removing the one before. A kill in between leaves both, never none, and
adding the schedule once more leaves one.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from components.contract.errors import UserError, suggest
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.engines.kubeflow.api.api_faults import ReplyLostError
from pipelines.engines.kubeflow.api.connection import Connection, Resource
from pipelines.engines.kubeflow.ir import preflight
from pipelines.engines.kubeflow.launching.preparing import prepare
from pipelines.engines.kubeflow.launching.submitting import MODELS, Uploaded
from pipelines.engines.kubeflow.recurring.cron import Times
from pipelines.engines.kubeflow.recurring.recurring_run import UNKNOWN, Schedule, mark, read
from pipelines.runs.listing import listed_sources
from pipelines.runs.removal.exclusions import read_exclusions
from pipelines.stores.opening import open_store

CONCURRENCY_MAX = 10
"""How many runs of one schedule Kubeflow lets go on at a time."""

_ATTEMPTS = 3


def check_concurrency(concurrency: int) -> None:
    """Check how many runs may go on at a time.

    Raises:
        UserError: Kubeflow does not take it.
    """
    if not 1 <= concurrency <= CONCURRENCY_MAX:
        raise UserError(
            f"--concurrency {concurrency}: Kubeflow lets 1 to {CONCURRENCY_MAX} runs of a schedule "
            "go on at a time",
            f"give 1 to {CONCURRENCY_MAX}",
        )


def add(
    connection: Connection,
    config: Config,
    *,
    name: str,
    times: Times,
    zone: ZoneInfo,
    concurrency: int,
) -> Schedule:
    """Run a configuration by the clock; a schedule of that name is replaced.

    What is cached follows the configuration as it is compiled. A schedule that was paused stays so.
    An equal one is kept where the server that made it has the same version still; otherwise its
    runs would keep that version's launcher.

    Raises:
        UserError: Something cannot be reached from the cluster, or the server refuses it or makes
            something else of it.
    """
    check_concurrency(concurrency)
    graph = graph_of(config)
    reachable = preflight.check(config, graph)
    sources = listed_sources(graph, read_exclusions(open_store(config.store)))
    with tempfile.TemporaryDirectory(prefix="slimline-") as scratch:
        uploaded = prepare(connection, reachable, sources, Path(scratch)).uploaded
    before = _named(connection, name)
    wanted = (times.five, zone.key, concurrency, uploaded.version, server_of(connection))
    same = [one for one in before if wanted == one.settings]
    kept = same[-1] if same else _create(connection, uploaded, name, times, zone, concurrency)
    fires = not before or any(one.enabled for one in before)
    if fires and not kept.enabled:  # also one that a kill left behind before it could fire
        kept = _switch(connection, kept, enabled=True)
    for other in _named(connection, name):
        if other.recurring_run != kept.recurring_run:
            _delete(connection, other)
    return kept


def server_of(connection: Connection) -> str:
    """Return the version of the server in one word, as the marks of schedules name it."""
    return re.sub(r"[^\w.+-]+", "_", connection.tag) or UNKNOWN


def listed(connection: Connection) -> list[Schedule]:
    """Return all schedules of slimline, the oldest first."""
    rows = connection.all(
        connection.recurring.recurring_run_service_list_recurring_runs,
        "recurring_runs",
        namespace=connection.namespace,
        sort_by="created_at asc",
    )
    return [schedule for row in rows if (schedule := read(row))]


def pause(connection: Connection, name: str) -> Schedule:
    """Let a schedule fire no more until it is resumed.

    Raises:
        UserError: There is none of that name.
    """
    return [_switch(connection, one, enabled=False) for one in _existing(connection, name)][-1]


def resume(connection: Connection, name: str) -> Schedule:
    """Let a schedule fire again; the times that it missed are not made up for.

    Raises:
        UserError: There is none of that name.
    """
    *others, newest = _existing(connection, name)
    kept = _switch(connection, newest, enabled=True)
    for other in others:
        _delete(connection, other)
    return kept


def remove(connection: Connection, name: str) -> None:
    """Remove a schedule.

    Raises:
        UserError: There is none of that name.
    """
    for schedule in _existing(connection, name):
        _delete(connection, schedule)


def _create(
    connection: Connection,
    uploaded: Uploaded,
    name: str,
    times: Times,
    zone: ZoneInfo,
    concurrency: int,
) -> Schedule:
    """Create a schedule that does not fire yet, and look at what the server made of it."""
    revision = secrets.token_hex(4)
    body = MODELS.V2beta1RecurringRun(
        display_name=name,
        description=mark(zone, uploaded.version, server_of(connection), revision),
        experiment_id=uploaded.experiment_id,
        pipeline_version_reference=uploaded.reference,
        runtime_config=uploaded.runtime,
        service_account=uploaded.service_account,
        max_concurrency=str(concurrency),
        no_catchup=True,
        mode="DISABLE",
        namespace=connection.namespace or None,
        trigger=MODELS.V2beta1Trigger(cron_schedule=MODELS.V2beta1CronSchedule(cron=times.six)),
    )
    lost: ReplyLostError | None = None
    for _ in range(_ATTEMPTS):
        try:
            connection.order(connection.recurring.recurring_run_service_create_recurring_run, body)
        except ReplyLostError as error:
            lost = error
        for schedule in _named(connection, name):
            if schedule.revision == revision:
                _verify(connection, schedule, body)
                return schedule
    raise UserError(
        f"{connection.host} did not confirm the schedule {name}: {lost}",
        "give the command again: what is there is found, and what is too much removed",
    ) from lost


def _verify(connection: Connection, schedule: Schedule, body: Resource) -> None:
    """Hold what the server keeps against what it was asked for.

    Raises:
        UserError: It is something else; it is removed again.
    """
    made: Any = connection.ask(
        connection.recurring.recurring_run_service_get_recurring_run, schedule.recurring_run
    )
    differing = [
        field
        for field, kept, asked in (
            ("cron", made.trigger.cron_schedule.cron, body.trigger.cron_schedule.cron),
            ("max_concurrency", str(made.max_concurrency), body.max_concurrency),
            ("no_catchup", bool(made.no_catchup), body.no_catchup),
            (
                "pipeline version",
                made.pipeline_version_reference.pipeline_version_id,
                body.pipeline_version_reference.pipeline_version_id,
            ),
        )
        if kept != asked
    ]
    if differing:
        _delete(connection, schedule)
        raise UserError(
            f"{connection.host} made another schedule than it was asked for: its "
            f"{' and '.join(differing)} differ; it was removed, and what was there before stays",
            "compare the server's version with 2.17, which slimline is written for",
        )


def _switch(connection: Connection, schedule: Schedule, *, enabled: bool) -> Schedule:
    service = connection.recurring
    method = (
        service.recurring_run_service_enable_recurring_run
        if enabled
        else service.recurring_run_service_disable_recurring_run
    )
    connection.ask(method, schedule.recurring_run)
    made: Any = connection.ask(
        service.recurring_run_service_get_recurring_run, schedule.recurring_run
    )
    switched = read(made)
    assert switched
    return switched


def _delete(connection: Connection, schedule: Schedule) -> None:
    try:
        connection.ask(
            connection.recurring.recurring_run_service_delete_recurring_run, schedule.recurring_run
        )
    except LookupError:
        return  # gone already: an answer was lost, or somebody else removed it


def _named(connection: Connection, name: str) -> list[Schedule]:
    return [schedule for schedule in listed(connection) if schedule.name == name]


def _existing(connection: Connection, name: str) -> Sequence[Schedule]:
    found = listed(connection)
    named = [schedule for schedule in found if schedule.name == name]
    if not named:
        raise UserError(
            f"{connection.host} has no schedule {name!r} of slimline",
            suggest(name, [schedule.name for schedule in found])
            if found
            else "slimline schedule add CONFIG --cron FIELDS --native --engine kubeflow",
        )
    return named
