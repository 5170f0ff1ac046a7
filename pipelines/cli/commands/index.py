"""``slimline index``: the tables that questions are answered from, made anew or written out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import OK, print_json, print_log, print_text


def add(commands: Any) -> None:
    """Add the parser of the command and those of its actions."""
    summary = "the tables that questions are answered from: made anew, or written out"
    actions = add_command(commands, "index", summary, None).add_subparsers(
        title="actions", metavar="ACTION", required=True
    )
    parser = add_command(actions, "rebuild", "make it anew from the store alone", _rebuild)
    store_arguments(parser)
    parser = add_command(actions, "export", "all of it as sorted lines of JSON", _export)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: print it")
    store_arguments(parser, as_json=False)


def _rebuild(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from pipelines.cli.documents import RebuiltIndex
    from pipelines.lineage.index.opening import open_index, rebuild

    store = open_existing(arguments)
    path = rebuild(store)
    with open_index(store, refresh=False) as index:
        (runs,) = index.one("SELECT count(*) FROM run") or (0,)
        (artifacts,) = index.one("SELECT count(*) FROM artifact") or (0,)
        problems = [
            {"key": key, "what": what}
            for key, what in index.execute("SELECT key, what FROM problem ORDER BY key")
        ]
    if arguments.json:
        print_json(asdict(RebuiltIndex(str(path), runs, artifacts, problems)))
        return OK
    for problem in problems:
        print_text(f"{problem['key']} {problem['what']}")
    print_text(
        f"{path}: {runs} runs, {artifacts} artifacts, {len(problems) or 'no'} problems in the store"
    )
    return OK


def _export(arguments: argparse.Namespace) -> int:
    from pipelines.disk.files import beside, disk_faults
    from pipelines.lineage.index.exporting import export_lines
    from pipelines.lineage.index.opening import open_index

    with open_index(open_existing(arguments)) as index:
        if arguments.output is None:
            for line in export_lines(index):
                print_log(line.decode())
            return OK
        with disk_faults(arguments.output), beside(arguments.output) as unfinished:
            with unfinished.open("wb") as file:
                file.writelines(export_lines(index))
            unfinished.replace(arguments.output)
    return OK
