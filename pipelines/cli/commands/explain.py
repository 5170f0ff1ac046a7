"""``slimline explain``: what would run, what is cached, and why."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import (
    add_command,
    config_arguments,
    load_config,
    print_problems,
)
from pipelines.cli.output import OK, print_json, print_table, print_text

if TYPE_CHECKING:
    from pipelines.runs.records import Problem


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "say what would run, what is cached, and why"
    config_arguments(add_command(commands, "explain", summary, run))


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation and return the exit code."""
    from pipelines.cli import documents, tables
    from pipelines.config.loading import says_auto, suggestion_for
    from pipelines.config.suggest.writing import variants_block
    from pipelines.launch.explaining import estimate, explain

    config = load_config(arguments)
    problems: list[Problem] = []
    explained = explain(config, problems=problems)
    seconds = estimate(config, explained)
    if arguments.json:
        print_json(asdict(documents.explained(config, explained, seconds, problems)))
    else:
        if says_auto(arguments.config):
            print_text(variants_block(suggestion_for(arguments.config)))
        print_table(tables.explanation(explained, seconds))
        print_problems(problems)
    return OK
