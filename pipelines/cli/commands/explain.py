"""``slimline explain``: what would run, what is cached, and why."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pipelines.cli.arguments import add_command, config_arguments, load_config
from pipelines.cli.output import OK, print_json, print_table


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "say what would run, what is cached, and why"
    config_arguments(add_command(commands, "explain", summary, run))


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation and return the exit code."""
    from pipelines.cli import documents, tables
    from pipelines.launch.explaining import estimate, explain

    config = load_config(arguments)
    explained = explain(config)
    seconds = estimate(config, explained)
    if arguments.json:
        print_json(asdict(documents.explained(config, explained, seconds)))
    else:
        print_table(tables.explanation(explained, seconds))
    return OK
