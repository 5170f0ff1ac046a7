"""``slimline schedule``: runs by the clock, started by ticks or by a cluster of its own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, connect, place_arguments
from pipelines.cli.commands import triggers
from pipelines.cli.output import OK, print_json, print_remark, print_text
from pipelines.cli.triggering import add_trigger, print_added, trigger_arguments
from pipelines.engines.opening import CLUSTERED

if TYPE_CHECKING:
    from pipelines.engines.kubeflow.recurring.schedules import Schedule

_NATIVE = "kubeflow"
"""The engine whose cluster keeps schedules that slimline sets."""

_OVERLAPS = ("skip", "queue", "cancel")
_CATCH_UP = 100


def add(commands: Any) -> None:
    """Add the parsers of the command and its actions."""
    parser = commands.add_parser("schedule", help="run by the clock")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    summary = "run a configuration by the clock, or change when"
    new = add_command(actions, "add", summary, _add)
    trigger_arguments(new)
    new.add_argument(
        "--cron", required=True, metavar="FIELDS", help="five: minute hour day month weekday"
    )
    new.add_argument(
        "--zone", default="UTC", metavar="NAME", help="the time zone of the times (default: UTC)"
    )
    new.add_argument(
        "--overlap", choices=_OVERLAPS, default="skip",
        help="when the run before still goes on: leave the time out, wait for its end, or cancel "
        "it (default: skip)",
    )  # fmt: skip
    new.add_argument(
        "--catch-up", default="last", metavar="HOW",
        help="times that nobody evaluated: none, last or all:N (default: last)",
    )  # fmt: skip
    new.add_argument(
        "--window", default="12h", metavar="TIME",
        help="times that nobody evaluated count when they are not longer ago (default: 12h)",
    )  # fmt: skip
    new.add_argument("--engine", default="local", metavar="NAME", help="default: local")
    new.add_argument(
        "--native", action="store_true",
        help=f"a recurring run of {_NATIVE} itself: it repeats the data of today",
    )  # fmt: skip
    new.add_argument(
        "--concurrency", type=int, default=1, metavar="N",
        help="with --native: runs at a time, 1 to 10",
    )  # fmt: skip
    place_arguments(new)
    new.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    _managing(add_command(actions, "list", "list schedules, and what comes next", _list))
    for name, summary, run in (
        ("pause", "start no runs until it is resumed", _pause),
        ("resume", "start runs again, without those that were missed", _resume),
        ("remove", "remove a schedule; its runs stay", _remove),
    ):
        one = add_command(actions, name, summary, run)
        one.add_argument("name", metavar="NAME", help="of the schedule")
        _managing(one)


def _managing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", metavar="NAME",
        help=f"{_NATIVE}: the recurring runs there; without it those of the store",
    )  # fmt: skip
    place_arguments(parser)
    parser.add_argument("--store", metavar="PLACE", help="of schedules that ticks start")
    parser.add_argument("--reason", default="", metavar="TEXT", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")


def _add(arguments: argparse.Namespace) -> int:
    if arguments.native:
        return _add_native(arguments)
    from pipelines.config.loading import load
    from pipelines.runs.moments import zone
    from pipelines.triggers import amounts, cron
    from pipelines.triggers.settings import ScheduleSettings as Times

    if arguments.concurrency != 1:
        raise UserError(
            "--concurrency is for --native alone",
            "--overlap says what happens when the run before still goes on",
        )
    times = Times(
        cron=cron.check(arguments.cron),
        zone=zone(arguments.zone).key,
        overlap=arguments.overlap,
        catch_up=_caught_up(arguments.catch_up),
        window_s=amounts.duration_s(arguments.window, "--window"),
    )
    store, made = add_trigger(arguments, load(arguments.config), schedule=times)
    print_added(store, made, as_json=arguments.json)
    return OK


def _caught_up(text: str) -> int:
    kind, _, count = text.partition(":")
    if text in ("none", "last"):
        return 0 if text == "none" else 1
    if kind != "all" or not count.isdigit() or not 1 <= int(count) <= _CATCH_UP:
        raise UserError(
            f"--catch-up {text!r}: expected none, last, or all:N with N from 1 to {_CATCH_UP}",
            "write --catch-up last",
        )
    return int(count)


def _add_native(arguments: argparse.Namespace) -> int:
    if arguments.engine not in CLUSTERED:
        raise UserError(
            f"--native is for {_NATIVE}, and the engine is {arguments.engine}",
            f"add --engine {_NATIVE}, or leave --native out: slimline tick starts the runs",
        )
    from pipelines.engines.kubeflow.recurring import cron, schedules
    from pipelines.runs import moments

    times = cron.parse(arguments.cron)
    zone = moments.zone(arguments.zone)
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
    print_remark(
        "each of its runs trains on the data of today; without --native every run sees the data "
        "as it is then"
    )
    return _show(arguments, [made], schedules.server_of(connection))


def _list(arguments: argparse.Namespace) -> int:
    if not arguments.engine:
        return triggers.listed(arguments)
    connection = connect(arguments)
    from pipelines.engines.kubeflow.recurring import schedules

    return _show(arguments, schedules.listed(connection), schedules.server_of(connection))


def _pause(arguments: argparse.Namespace) -> int:
    if not arguments.engine:
        return triggers.pause(arguments)
    connection = connect(arguments)
    from pipelines.engines.kubeflow.recurring import schedules

    return _show(
        arguments, [schedules.pause(connection, arguments.name)], schedules.server_of(connection)
    )


def _resume(arguments: argparse.Namespace) -> int:
    if not arguments.engine:
        return triggers.resume(arguments)
    connection = connect(arguments)
    from pipelines.engines.kubeflow.recurring import schedules

    return _show(
        arguments, [schedules.resume(connection, arguments.name)], schedules.server_of(connection)
    )


def _remove(arguments: argparse.Namespace) -> int:
    if not arguments.engine:
        return triggers.remove(arguments)
    connection = connect(arguments)
    from pipelines.engines.kubeflow.recurring import schedules

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
