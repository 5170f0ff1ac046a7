"""``slimline runs``: all runs of a store."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pipelines.cli.arguments import add_command, open_existing, print_problems, store_arguments
from pipelines.cli.output import OK, print_json, print_table


def add(commands: Any) -> None:
    """Add the parser of the command."""
    store_arguments(add_command(commands, "runs", "list all runs of a store", run))


def run(arguments: argparse.Namespace) -> int:
    """Print the list and return the exit code."""
    from pipelines.cli import documents, run_states
    from pipelines.runs.records import Problem, list_runs

    problems: list[Problem] = []
    records = list_runs(open_existing(arguments), problems)
    if arguments.json:
        listed = [documents.listed_run(record) for record in records]
        print_json({"runs": listed, "problems": [asdict(problem) for problem in problems]})
    else:
        print_table(run_states.runs(records))
        print_problems(problems)
    return OK
