"""``slimline data``: what became of the images of a run."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from pipelines.runs.judging import Judges
    from pipelines.runs.records import RunRecord

CONFIDENCE = 0.95
"""Of the intervals that a warning of too few images is about."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "which images a run does not use, and why; which show almost the same"
    parser = add_command(commands, "data", summary, run)
    parser.add_argument("run", nargs="?", default=LATEST, metavar="RUN", help="default: the latest")
    parser.add_argument("--reason", metavar="WORD", help="only those left out for this reason")
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what became of the images and return the exit code."""
    from dataclasses import asdict, replace

    from pipelines.cli import documents, tables
    from pipelines.runs.cache import Cache, CorruptionError
    from pipelines.runs.images_used import (
        STEP,
        data_use_of,
        judges_in,
        left_out_of,
        near_duplicates_of,
    )
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
            shlex.join(["slimline", "logs", record.run, STEP, "--store", store.uri]),
        )
    cache = Cache(store, workspace_root(store))
    again = "slimline run CONFIG again: it makes a new one"
    try:
        use, items = data_use_of(cache, outputs), left_out_of(cache, outputs)
        near = near_duplicates_of(cache, outputs)
        judges = judges_in(cache, outputs)
    except KeyError:
        use, items, near, judges = None, [], [], None
    except (CorruptionError, ValueError) as error:
        raise UserError(f"the report of {STEP} is damaged: {error}", again) from error
    if use is None:
        raise UserError(f"run {record.run} was written by another version of slimline", again)
    if judges and (warning := _too_few(judges, record)):
        use = replace(use, warnings=(*use.warnings, warning))
    if arguments.reason is not None:
        kinds = [loss.reason for loss in use.left_out]
        near = []
        if arguments.reason not in kinds:
            raise UserError(
                f"no image was left out for the reason {arguments.reason!r}",
                suggest(arguments.reason, kinds),
            )
        items = [item for item in items if item["kind"] == arguments.reason]
    if arguments.json:
        print_json(asdict(documents.images_of_run(record, use, items, near)))
    else:
        print_table(tables.images_of_run(use, items, near))
    return OK


def _too_few(judges: Judges, record: RunRecord) -> str:
    """Warn of too few images for the drop that the run was asked to prove."""
    budgets = record.budgets
    return judges.too_few(budgets["metric"], budgets["drop"], CONFIDENCE)
