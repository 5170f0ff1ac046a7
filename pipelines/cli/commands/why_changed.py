"""``slimline why-changed``: what differs between two runs, and what follows from it."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import OK, print_json, print_remark, print_table, print_text


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "what differs between two runs: only the data, or what else"
    parser = add_command(commands, "why-changed", summary, run)
    named = "a run, NAME@champion, NAME@latest or NAME@RUN"
    parser.add_argument("before", metavar="A", help=named)
    parser.add_argument("now", metavar="B", help="the same")
    parser.add_argument("--all", action="store_true", help="list every image and every figure")
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what differs and return the exit code."""
    from dataclasses import asdict

    from pipelines.cli.why_changed_text import figures
    from pipelines.lineage.comparing.telling import MOST, lines_of
    from pipelines.lineage.comparing.why import why_changed
    from pipelines.lineage.index.opening import open_index

    store = open_existing(arguments)
    with open_index(store) as index:
        answer = why_changed(store, index, arguments.before, arguments.now)
    if arguments.json:
        print_json(asdict(answer))
        return OK
    most = None if arguments.all else MOST
    for line in lines_of(answer, most):
        print_text(line)
    metrics = answer.metrics
    if metrics and metrics.figures:
        print_table(figures(metrics, most))
        if most is not None and len(metrics.figures) > most:
            print_remark(f"and {len(metrics.figures) - most} more figures: --all")
    return OK
