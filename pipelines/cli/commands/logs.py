"""``slimline logs``: what a step printed, or prints."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import (
    LATEST,
    add_command,
    auth_of,
    open_existing,
    place_arguments,
    print_problems,
    run_id,
    store_arguments,
)
from pipelines.cli.output import OK, print_log
from pipelines.engines.opening import CLUSTERED

if TYPE_CHECKING:
    from pipelines.runs.records import Problem, RunRecord
    from pipelines.stores.store import Store


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = add_command(commands, "logs", "print what a step printed, or prints", run)
    parser.add_argument("run", nargs="?", default=LATEST, metavar="RUN", help="default: the latest")
    parser.add_argument("step", metavar="STEP", help="as explain lists it")
    parser.add_argument("--follow", action="store_true", help="go on until the step has ended")
    store_arguments(parser, as_json=False)
    place_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the log and return the exit code."""
    from pipelines.runs.live.logs import follow_log, read_log
    from pipelines.runs.records import read_run

    store, problems = open_existing(arguments), list["Problem"]()
    record = read_run(store, run_id(arguments), problems)
    if record.engine in CLUSTERED:
        _print_of_cluster(arguments, store, record)
    elif arguments.follow:
        for part in follow_log(store, run_id(arguments), arguments.step, problems):
            print_log(part)
    else:
        print_log(read_log(store, run_id(arguments), arguments.step, problems))
    print_problems(problems)
    return OK


def _print_of_cluster(arguments: argparse.Namespace, store: Store, record: RunRecord) -> None:
    """Print the log of a step that runs, or ran, in a cluster."""
    from pipelines.engines import opening
    from pipelines.engines.kubeflow.api.connection import Connection
    from pipelines.engines.kubeflow.watching.reading_logs import (
        follow_cluster_log,
        read_cluster_log,
    )

    auth = auth_of(arguments)

    def connect(host: str | None) -> Connection:
        return opening.connect(record.engine, arguments.host or host, arguments.namespace, auth)

    if arguments.follow:
        for part in follow_cluster_log(store, record, arguments.step, connect):
            print_log(part)
    else:
        print_log(read_cluster_log(store, record, arguments.step, connect))
