"""``slimline data``: what became of the images of a run."""

from __future__ import annotations

import argparse
from typing import Any

from components.contract.errors import UserError, suggest
from pipelines.cli.arguments import (
    LATEST,
    add_command,
    open_existing,
    print_problems,
    run_id,
    store_arguments,
)
from pipelines.cli.output import OK, print_json, print_table


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "which images a run does not use, and why"
    parser = add_command(commands, "data", summary, run)
    parser.add_argument("run", nargs="?", default=LATEST, metavar="RUN", help="default: the latest")
    parser.add_argument("--reason", metavar="WORD", help="only those left out for this reason")
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what became of the images and return the exit code."""
    from dataclasses import asdict

    from pipelines.cli import documents, tables
    from pipelines.runs.cache import Cache, CorruptionError
    from pipelines.runs.images_used import STEP, data_use_of, left_out_of
    from pipelines.runs.records import Problem, read_run
    from pipelines.runs.workspace import workspace_root

    store = open_existing(arguments)
    problems: list[Problem] = []
    record = read_run(store, run_id(arguments), problems)
    print_problems(problems)
    outputs = record.steps.get(STEP, {}).get("outputs")
    if not outputs:
        raise UserError(
            f"run {record.run} has read no images: its step {STEP} has no result",
            f"slimline logs {record.run} {STEP}",
        )
    cache = Cache(store, workspace_root(store))
    again = "slimline run CONFIG again: it makes a new one"
    try:
        use, items = data_use_of(cache, outputs), left_out_of(cache, outputs)
    except KeyError:
        use, items = None, []
    except (CorruptionError, ValueError) as error:
        raise UserError(f"the report of {STEP} is damaged: {error}", again) from error
    if use is None:
        raise UserError(f"run {record.run} was written by another version of slimline", again)
    if arguments.reason is not None:
        kinds = [loss.reason for loss in use.left_out]
        if arguments.reason not in kinds:
            raise UserError(
                f"no image was left out for the reason {arguments.reason!r}",
                suggest(arguments.reason, kinds),
            )
        items = [item for item in items if item["kind"] == arguments.reason]
    if arguments.json:
        print_json(asdict(documents.images_of_run(record, use, items)))
    else:
        print_table(tables.images_of_run(use, items))
    return OK
