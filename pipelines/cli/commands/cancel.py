"""``slimline cancel``: a run that goes on is ended, wherever that is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import (
    STORE,
    add_command,
    auth_of,
    open_existing,
    place_arguments,
    project_arguments,
    run_id,
    store_arguments,
)
from pipelines.cli.output import OK, print_json, print_text

if TYPE_CHECKING:
    from pipelines.launch.cancelling import Cancelled

_CHANGES = """\
changes: asks whoever carries out the run, on any machine, to end it as Ctrl-C would; what is done
is kept. A run of a cluster that nobody watches is ended in the cluster itself. The record of the
run says who asked, and why."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = add_command(commands, "cancel", "end a run that goes on", run, _CHANGES)
    parser.add_argument("run", metavar="RUN", help="its identifier, or latest: slimline runs")
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="kept in the record of the run"
    )
    store_arguments(parser)
    place_arguments(parser)
    project_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask for the end of the run, say what follows, and return the exit code."""
    from dataclasses import asdict

    from pipelines.engines.engine import Cluster
    from pipelines.launch.cancelling import cancel_run
    from pipelines.runs.actions import Action, record_action
    from pipelines.runs.actor import actor
    from pipelines.runs.moments import now
    from pipelines.runs.records import read_run

    store = open_existing(arguments)
    identifier = run_id(arguments) or read_run(store, None).run
    who = actor()
    cluster = Cluster(
        arguments.host, arguments.namespace, auth_of(arguments), arguments.project,
        arguments.location,
    )  # fmt: skip
    cancelled = cancel_run(store, identifier, actor=who, reason=arguments.reason, cluster=cluster)
    record_action(store, Action(now(), who, "cancel", identifier, arguments.reason))
    if arguments.json:
        print_json(asdict(cancelled))
    else:
        print_text(_told(cancelled, arguments.store or STORE))
    return OK


def _told(cancelled: Cancelled, store: str) -> str:
    """Say what becomes of the run."""
    from pipelines.cli.run_states import asked_by

    by = asked_by(cancelled.asked.actor, cancelled.asked.reason)
    if cancelled.cluster:
        return f"{cancelled.run}: its cluster ends it{by}; then: slimline sync --store {store}"
    then = f"slimline show {cancelled.run} --store {store}"
    return f"{cancelled.run}: it ends within seconds{by}; then: {then}"
