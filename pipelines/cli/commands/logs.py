"""``slimline logs``: what a step printed."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.cli.arguments import add_command, open_existing, run_id, store_arguments
from pipelines.cli.output import OK, print_log


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = add_command(commands, "logs", "print what a step printed", run)
    parser.add_argument("run", metavar="RUN", help="a run, or: latest")
    parser.add_argument("step", metavar="STEP", help="as explain lists it")
    store_arguments(parser, as_json=False)


def run(arguments: argparse.Namespace) -> int:
    """Print the log and return the exit code."""
    from pipelines.runs.logs import read_log

    print_log(read_log(open_existing(arguments), run_id(arguments), arguments.step))
    return OK
