"""``slimline runs``: all runs of a store."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import OK, print_json, print_table


def add(commands: Any) -> None:
    """Add the parser of the command."""
    store_arguments(add_command(commands, "runs", "list all runs of a store", run))


def run(arguments: argparse.Namespace) -> int:
    """Print the list and return the exit code."""
    from pipelines.cli import documents, tables
    from pipelines.runs.records import list_runs

    records = list_runs(open_existing(arguments))
    if arguments.json:
        print_json({"runs": [documents.listed_run(record) for record in records]})
    else:
        print_table(tables.runs(records))
    return OK
