"""``slimline export``: the release of any run, or its lineage in the forms of other programs."""

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
    from pipelines.stores.store import Store

RELEASE = "release"
FORMATS = (RELEASE, "openlineage", "cyclonedx", "model-card", "bundle")


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "write the release of any run into a folder, or its lineage for other programs"
    parser = add_command(commands, "export", summary, run)
    parser.add_argument("run", metavar="RUN", help="a run of the store, or: latest")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="where to: the folder of the release (default: slimline-out/NAME), or the folder "
        "that the file of another format is put into (default: slimline-out)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=FORMATS, default=RELEASE,
        help="release: the files for the app and the report; openlineage: events, one a line; "
        "cyclonedx: a bill of materials (1.6); model-card: Markdown; bundle: one zip that "
        "slimline verify proves without a store",
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
    if arguments.format != RELEASE:
        return _other_form(arguments, store, record)
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


def _other_form(arguments: argparse.Namespace, store: Store, record: RunRecord) -> int:
    """Write the lineage of a run in the form of another program."""
    from dataclasses import asdict

    from pipelines.cli.documents import ExportedFile
    from pipelines.lineage.exports.writing import export_as
    from pipelines.runs.cache import Cache
    from pipelines.runs.workspace import workspace_root

    folder = arguments.output or Path("slimline-out")
    cache = Cache(store, workspace_root(store))
    done = export_as(arguments.format, cache, record, folder)
    if arguments.json:
        made = ExportedFile(
            record.run, arguments.format, str(done.path), done.sha256, done.size_bytes
        )
        print_json(asdict(made))
    else:
        print_text(f"{done.path}: {done.size_bytes:,} bytes, sha256 {done.sha256}")
        if arguments.format == "bundle":
            print_text(f"slimline verify {done.path} proves it, with no store at hand")
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
