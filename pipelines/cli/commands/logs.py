"""``slimline logs``: what a step printed, or prints."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import (
    LATEST,
    add_command,
    open_existing,
    print_problems,
    run_id,
    store_arguments,
)
from pipelines.cli.output import OK, print_log

if TYPE_CHECKING:
    from pipelines.runs.records import Problem


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = add_command(commands, "logs", "print what a step printed, or prints", run)
    parser.add_argument("run", nargs="?", default=LATEST, metavar="RUN", help="default: the latest")
    parser.add_argument("step", metavar="STEP", help="as explain lists it")
    parser.add_argument("--follow", action="store_true", help="go on until the step has ended")
    store_arguments(parser, as_json=False)


def run(arguments: argparse.Namespace) -> int:
    """Print the log and return the exit code."""
    from pipelines.runs.logs import follow_log, read_log

    store, problems = open_existing(arguments), list["Problem"]()
    if arguments.follow:
        for part in follow_log(store, run_id(arguments), arguments.step, problems):
            print_log(part)
    else:
        print_log(read_log(store, run_id(arguments), arguments.step, problems))
    print_problems(problems)
    return OK
