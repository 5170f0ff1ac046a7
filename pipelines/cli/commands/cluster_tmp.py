"""The commands of the command line that are about a cluster: ``sync`` and ``schedule``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError, suggest

if TYPE_CHECKING:
    from pipelines.engines.engine import Cluster
    from pipelines.engines.kubeflow.connection import Connection
    from pipelines.engines.kubeflow.schedules import Schedule
    from pipelines.engines.kubeflow.syncing import Synced
    from pipelines.runs.cache import Cache

_ENGINE = "kubeflow"
_STORE = "./slimline-store"
_OK, _USER_FAULT = 0, 2


def add(commands: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the parsers of these commands.

    Args:
        commands: Where to.
        command: Adds one parser: to what, its name, its function, its summary.
    """
    sync = command(commands, "sync", _sync, "bring home the runs of a cluster that nobody watched")
    _place_arguments(sync)
    sync.add_argument("--store", metavar="PLACE", help=f"where they come to (default: {_STORE})")

    schedule = commands.add_parser("schedule", help="run by the clock, in a cluster")
    actions = schedule.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = command(actions, "add", _add, "run a configuration by the clock, or replace how it does")
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
    _place_arguments(new)
    listed = command(actions, "list", _list, "list the schedules and what comes next")
    _place_arguments(listed)
    for name, function, summary in (
        ("pause", _pause, "start no runs until it is resumed"),
        ("resume", _resume, "start runs again, without those that were missed"),
        ("remove", _remove, "remove a schedule; its runs stay"),
    ):
        one = command(actions, name, function, summary)
        one.add_argument("name", metavar="NAME", help="of the schedule")
        _place_arguments(one)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which cluster is meant."""
    parser.add_argument(
        "--host", metavar="URL", help="Kubeflow Pipelines; default: KF_PIPELINES_ENDPOINT"
    )
    parser.add_argument("--namespace", metavar="NAME", help="yours, where there are several users")


def cluster(arguments: argparse.Namespace) -> Cluster:
    """Return the cluster that ``run`` is told of.

    Raises:
        UserError: The engine is of this machine.
    """
    from pipelines.engines.engine import Cluster

    given = {
        "--host": arguments.host,
        "--namespace": arguments.namespace,
        "--cancel-on-interrupt": arguments.cancel_on_interrupt,
    }
    for option, value in given.items():
        if value and arguments.engine != _ENGINE:
            raise UserError(
                f"{option} is for the engine {_ENGINE}, and the engine is {arguments.engine}",
                f"add --engine {_ENGINE}, or leave {option} out",
            )
    return Cluster(arguments.host, arguments.namespace, arguments.cancel_on_interrupt)


def sync_command(arguments: argparse.Namespace, store: str) -> str:
    """Return the command that brings home the run which these arguments launched."""
    words = ["slimline", "sync", "--engine", _ENGINE]
    for option in ("host", "namespace"):
        if value := getattr(arguments, option):
            words += [f"--{option}", value]
    return shlex.join([*words, "--store", store])


def _place_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", required=True, metavar="NAME", help=f"{_ENGINE}")
    add_place(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")


def _connection(arguments: argparse.Namespace) -> Connection:
    if arguments.engine != _ENGINE:
        raise UserError(
            f"the engine {arguments.engine!r} keeps no runs and no schedules of its own",
            suggest(arguments.engine, (_ENGINE,)),
        )
    from pipelines.engines.kubeflow.connection import Connection

    return Connection(arguments.host, arguments.namespace)


@contextmanager
def _home(place: str) -> Generator[tuple[Cache, Path]]:
    """Open a store and a scratch folder beside it."""
    import secrets

    from pipelines.runs.cache import Cache
    from pipelines.runs.workspace import workspace, workspace_root
    from pipelines.stores.store import open_store

    store = open_store(place)
    with workspace(workspace_root(store), f"sync-{secrets.token_hex(8)}") as scratch:
        yield Cache(store, scratch), scratch


def _sync(arguments: argparse.Namespace) -> int:
    connection = _connection(arguments)
    from pipelines.engines.kubeflow.syncing import sync

    def told(one: Synced) -> None:
        if not arguments.json:
            sys.stderr.write(
                f"{one.state:<12}  {one.run}{f'  {one.outcome}' if one.outcome else ''}\n"
            )

    with _home(arguments.store or _STORE) as (cache, scratch):
        synced = sync(connection, cache, scratch, told)
    damaged = [one for one in synced if one.error]
    if arguments.json:
        _print({"runs": [_synced_json(one) for one in synced]})
    else:
        home = sum(one.state == "brought home" for one in synced)
        sys.stdout.write(f"{home} of {len(synced)} runs brought home\n")
    for one in damaged:
        assert one.error
        sys.stderr.write(f"error: {one.error.what}\nfix: {one.error.fix}\n")
    return _USER_FAULT if damaged else _OK


def _synced_json(one: Synced) -> dict[str, Any]:
    error = {"what": one.error.what, "fix": one.error.fix} if one.error else None
    return {
        "run": one.run, "kfp_run": one.kfp_run, "state": one.state, "outcome": one.outcome,
        "error": error,
    }  # fmt: skip


def _add(arguments: argparse.Namespace) -> int:
    from pipelines.engines.kubeflow import cron, schedules

    times = cron.parse(arguments.cron)
    zone = cron.zone(arguments.zone)
    schedules.check_concurrency(arguments.concurrency)
    from pipelines.config.loading import load

    config = load(arguments.config)
    connection = _connection(arguments)
    made = schedules.add(
        connection,
        config,
        name=arguments.name or config.name,
        times=times,
        zone=zone,
        concurrency=arguments.concurrency,
    )
    return _show(arguments, [made])


def _list(arguments: argparse.Namespace) -> int:
    connection = _connection(arguments)
    from pipelines.engines.kubeflow import schedules

    return _show(arguments, schedules.listed(connection))


def _pause(arguments: argparse.Namespace) -> int:
    connection = _connection(arguments)
    from pipelines.engines.kubeflow import schedules

    return _show(arguments, [schedules.pause(connection, arguments.name)])


def _resume(arguments: argparse.Namespace) -> int:
    connection = _connection(arguments)
    from pipelines.engines.kubeflow import schedules

    return _show(arguments, [schedules.resume(connection, arguments.name)])


def _remove(arguments: argparse.Namespace) -> int:
    connection = _connection(arguments)
    from pipelines.engines.kubeflow import schedules

    schedules.remove(connection, arguments.name)
    if arguments.json:
        _print({"schedules": []})
    else:
        sys.stdout.write(f"removed {arguments.name}; its runs stay\n")
    return _OK


def _show(arguments: argparse.Namespace, found: list[Schedule]) -> int:
    if arguments.json:
        _print({"schedules": [schedule.to_json() for schedule in found]})
        return _OK
    for schedule in found:
        sys.stdout.write("".join(f"{line}\n" for line in schedule.lines()))
    if not found:
        sys.stdout.write("no schedules\n")
    return _OK


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()
