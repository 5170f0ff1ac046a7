"""``slimline lineage``: what something was made of, and what was made of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import OK, print_json, print_remark, print_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.lineage.tracing.trace import Direction, Trace

_DEPTH = 3


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "what a run, a release or a file was made of, and what was made of it"
    parser = add_command(commands, "lineage", summary, run)
    parser.add_argument(
        "what", metavar="WHAT",
        help="a run, RUN/STEP, NAME@champion, NAME@latest, a digest (8 digits or more) or a file",
    )  # fmt: skip
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--up", action="store_true", help="only what it was made of")
    ways.add_argument("--down", action="store_true", help="only what was made of it")
    parser.add_argument(
        "--depth", type=int, default=_DEPTH, metavar="N", help=f"steps away (default: {_DEPTH})"
    )
    parser.add_argument("--svg", metavar="FILE", help="also draw it into this file")
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the tree and return the exit code."""
    from dataclasses import asdict

    from pipelines.cli.lineage_text import lines_of
    from pipelines.lineage.index.opening import open_index
    from pipelines.lineage.naming import resolve
    from pipelines.lineage.tracing.tracing import trace
    from pipelines.runs.removal.erasures import erasures

    if arguments.depth < 1:
        raise UserError(f"--depth {arguments.depth}: a trace goes at least one step", "--depth 1")
    directions = _directions(arguments)
    store = open_existing(arguments)
    with open_index(store) as index:
        named = resolve(store, index, arguments.what)
        found = trace(index, named, directions, arguments.depth, erasures=erasures(store))
    if arguments.svg is not None:
        _draw(found, arguments.svg)
    if arguments.json:
        print_json(asdict(found))
    else:
        for line in lines_of(found, directions):
            print_text(line)
        if arguments.svg is not None:
            print_remark(f"picture: {arguments.svg}")
    return OK


def _directions(arguments: argparse.Namespace) -> Sequence[Direction]:
    if arguments.up:
        return ("up",)
    return ("down",) if arguments.down else ("up", "down")


def _draw(found: Trace, place: str) -> None:
    """Write the picture, whole or not at all."""
    from components.pages.charts.svg import standalone
    from pipelines.disk.files import beside, disk_faults
    from pipelines.disk.names import absolute
    from pipelines.web.lineage_picture import picture_of

    path = absolute(place)
    drawn = standalone(picture_of(found))
    with disk_faults(path), beside(path) as partial:
        partial.write_text(drawn)
        partial.replace(path)
