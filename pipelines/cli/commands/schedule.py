"""``slimline schedule``: runs by the clock, in a cluster."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import add_command, cluster_arguments, connect
from pipelines.cli.output import OK, print_json, print_text

if TYPE_CHECKING:
    from pipelines.engines.kubeflow.schedules import Schedule


def add(commands: Any) -> None:
    """Add the parsers of the command and its actions."""
    parser = commands.add_parser("schedule", help="run by the clock, in a cluster")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    summary = "run a configuration by the clock, or replace how it does"
    new = add_command(actions, "add", summary, _add)
    new.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file: slimline init")
    new.add_argument(
        "--cron", required=True, metavar="FIELDS", help="five: minute hour day month weekday"
    )
    new.add_argument(
        "--zone", default="UTC", metavar="NAME",
        help="the time zone that the cluster's schedules are in (default: UTC)",
    )  # fmt: skip
    new.add_argument(
        "--concurrency", type=int, default=1, metavar="N", help="runs at a time, 1 to 10"
    )
    new.add_argument(
        "--name", metavar="NAME", help="of the schedule (default: the configuration's)"
    )
    cluster_arguments(new)
    cluster_arguments(add_command(actions, "list", "list the schedules and what comes next", _list))
    for name, summary, run in (
        ("pause", "start no runs until it is resumed", _pause),
        ("resume", "start runs again, without those that were missed", _resume),
        ("remove", "remove a schedule; its runs stay", _remove),
    ):
        one = add_command(actions, name, summary, run)
        one.add_argument("name", metavar="NAME", help="of the schedule")
        cluster_arguments(one)


def _add(arguments: argparse.Namespace) -> int:
    from pipelines.engines.kubeflow import cron, schedules

    times = cron.parse(arguments.cron)
    zone = cron.zone(arguments.zone)
    schedules.check_concurrency(arguments.concurrency)
    from pipelines.config.loading import load

    config = load(arguments.config)
    connection = connect(arguments, config.kubeflow.auth if config.kubeflow else None)
    made = schedules.add(
        connection,
        config,
        name=arguments.name or config.name,
        times=times,
        zone=zone,
        concurrency=arguments.concurrency,
    )
    return _show(arguments, [made], schedules.server_of(connection))


def _list(arguments: argparse.Namespace) -> int:
    connection = connect(arguments)
    from pipelines.engines.kubeflow import schedules

    return _show(arguments, schedules.listed(connection), schedules.server_of(connection))


def _pause(arguments: argparse.Namespace) -> int:
    connection = connect(arguments)
    from pipelines.engines.kubeflow import schedules

    return _show(
        arguments, [schedules.pause(connection, arguments.name)], schedules.server_of(connection)
    )


def _resume(arguments: argparse.Namespace) -> int:
    connection = connect(arguments)
    from pipelines.engines.kubeflow import schedules

    return _show(
        arguments, [schedules.resume(connection, arguments.name)], schedules.server_of(connection)
    )


def _remove(arguments: argparse.Namespace) -> int:
    connection = connect(arguments)
    from pipelines.engines.kubeflow import schedules

    schedules.remove(connection, arguments.name)
    if arguments.json:
        print_json({"schedules": []})
    else:
        print_text(f"removed {arguments.name}; its runs stay")
    return OK


def _show(arguments: argparse.Namespace, found: list[Schedule], server: str) -> int:
    if arguments.json:
        print_json({"schedules": [schedule.to_json() for schedule in found]})
        return OK
    for schedule in found:
        print_text("\n".join(schedule.lines(server)))
    if not found:
        print_text("no schedules")
    return OK
