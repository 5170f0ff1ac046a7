"""``slimline verify``: whether every byte of a store or a release is as it was written."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError, suggest
from pipelines.cli.arguments import LATEST, STORE, add_command, open_existing, store_arguments
from pipelines.cli.output import DAMAGED, OK, print_json, print_remark, print_text

if TYPE_CHECKING:
    from pipelines.runs.verifying import ObjectFault
    from pipelines.stores.store import Store


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "read every byte, and name what is damaged, missing or foreign"
    parser = add_command(commands, "verify", summary, run)
    parser.add_argument(
        "what", nargs="?", metavar="WHAT",
        help="a run, or the folder of a release (default: the whole store)",
    )  # fmt: skip
    parser.add_argument(
        "--quarantine", action="store_true",
        help="move what is damaged in the store out of the way, so that it can be made anew",
    )  # fmt: skip
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what is not as it should be, and return the exit code."""
    from dataclasses import asdict

    from pipelines.cli.documents import Verified
    from pipelines.runs.verifying import ON_PURPOSE

    folder = _folder(arguments.what)
    place, objects, findings = _of_folder(arguments, folder) if folder else _of_store(arguments)
    wrong = [finding for finding in findings if finding.state not in ON_PURPOSE]
    if arguments.json:
        print_json(asdict(Verified(place, objects, findings)))
    else:
        collected = [finding for finding in findings if finding.state == "collected"]
        for finding in findings:
            if finding not in collected:
                print_text(f"{finding.state}: {finding.place} {finding.what}")
        if collected:
            print_text(
                f"collected: {len(collected)} objects of old runs, removed by slimline gc as no "
                "release rests on them"
            )
        print_text(f"{place}: {objects} objects, {len(wrong) or 'none'} not as they should be")
    if wrong:
        print_remark(
            "fix: slimline verify --quarantine moves what is damaged in a store out of the way, "
            "then slimline run CONFIG makes it anew; what is foreign is yours to move"
        )
    return DAMAGED if wrong else OK


def _folder(what: str | None) -> Path | None:
    """Return the folder that is meant; None for a run or the whole store."""
    from pipelines.disk.files import disk_faults

    if what is None:
        return None
    path = Path(what)
    with disk_faults(path):
        return path if path.is_dir() else None


def _of_folder(arguments: argparse.Namespace, folder: Path) -> tuple[str, int, list[ObjectFault]]:
    from pipelines.launch.verifying import verify_folder

    store = open_existing(arguments) if arguments.store or Path(STORE).is_dir() else None
    found = verify_folder(folder, store)
    if found.unknown:
        where = f"the store {store.uri} does not know" if store else "no store was given for"
        print_remark(
            f"{where} the run {found.unknown}: its files were held against files.json alone"
        )
    return str(folder), found.objects, found.findings


def _of_store(arguments: argparse.Namespace) -> tuple[str, int, list[ObjectFault]]:
    from pipelines.runs.records import read_run
    from pipelines.runs.verifying import quarantine_damaged, verify_run, verify_store
    from pipelines.stores.opening import open_store

    store = open_store(open_existing(arguments).uri, direct=True)
    if arguments.what is None:
        place, (objects, faults) = store.uri, verify_store(store)
    else:
        place = read_run(store, None).run if arguments.what == LATEST else arguments.what
        _check_run(store, place)
        objects, faults = verify_run(store, place)
    if arguments.quarantine:
        quarantine_damaged(store, faults)
    return place, objects, faults


def _check_run(store: Store, run: str) -> None:
    """Let the identifier of a run pass of which the store holds anything.

    Raises:
        UserError: There is no such run, and no such folder.
    """
    from pipelines.runs.records import list_runs
    from pipelines.stores.layout import RUNS
    from pipelines.stores.store import is_key

    if "/" in run or not is_key(run) or next(store.list(f"{RUNS}{run}/"), None) is None:
        known = [record.run for record in list_runs(store)]
        raise UserError(
            f"there is no folder {run}, and no such run in the store {store.uri}",
            suggest(run, known),
        )
