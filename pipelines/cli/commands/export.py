"""``slimline export``: the release and the report of any run, in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, open_existing, run_id, store_arguments
from pipelines.cli.output import OK, print_json, print_text

if TYPE_CHECKING:
    from pipelines.launch.exporting import PublishedRun
    from pipelines.runs.records import RunRecord


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "write the release and the report of any run into a folder"
    parser = add_command(commands, "export", summary, run)
    parser.add_argument("run", metavar="RUN", help="a run of the store, or: latest")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="where release and report are written (default: slimline-out/NAME)",
    )  # fmt: skip
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the release, say where it is, and return the exit code."""
    from dataclasses import asdict

    from pipelines.cli import documents, tables
    from pipelines.launch.exporting import export
    from pipelines.runs.cache import Cache, CorruptionError
    from pipelines.runs.records import read_run
    from pipelines.runs.workspace import workspace_root

    store = open_existing(arguments)
    record = read_run(store, run_id(arguments))
    published = _published(record)
    folder = arguments.output or Path("slimline-out") / record.name
    try:
        folder = export(Cache(store, workspace_root(store)), published, folder, anyway=True)
    except CorruptionError as error:
        raise UserError(
            f"the release of run {record.run} is damaged: {error}",
            "slimline run CONFIG again: it makes anew what is broken",
        ) from error
    if arguments.json:
        print_json(asdict(documents.exported_release(record, folder)))
    else:
        for sentence in tables.exported_files(record.run, folder):
            print_text(sentence)
    return OK


def _published(record: RunRecord) -> PublishedRun:
    """Return what a run published.

    Raises:
        UserError: It has not got so far.
    """
    from pipelines.launch.exporting import PublishedRun

    outputs: dict[str, dict[str, str]] = {
        name: step.get("outputs") or {} for name, step in record.steps.items()
    }
    try:
        return PublishedRun.of(record.name, record.run, outputs)
    except KeyError as error:
        raise UserError(
            f"run {record.run} has published nothing: it is {record.outcome}",
            "slimline runs lists the others; slimline run CONFIG goes on with this one",
        ) from error
