"""``slimline show``: the leaderboard of a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from pipelines.runs.leaderboard import Leaderboard
    from pipelines.runs.records import Problem
    from pipelines.stores.store import Store


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "the leaderboard of a run: winner, reasons, Pareto"
    parser = add_command(commands, "show", summary, run)
    parser.add_argument("run", nargs="?", default=LATEST, metavar="RUN", help="default: the latest")
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the leaderboard and return the exit code."""
    problems: list[Problem] = []
    board = read_board(open_existing(arguments), run_id(arguments), None, problems)
    print_board(board, as_json=arguments.json)
    print_problems(problems)
    return OK


def read_board(
    store: Store, run: str | None, exported: Path | None, problems: list[Problem] | None = None
) -> Leaderboard:
    """Read what a run found out.

    Args:
        store: Where it is kept.
        run: Identifier of the run; None is the latest.
        exported: Where its release was written, if that is known.
        problems: Takes the damaged records that were passed over in the search for the latest.

    Raises:
        UserError: There is no such run, or what is kept of it is damaged.
    """
    from pipelines.runs.cache import Cache
    from pipelines.runs.leaderboard import leaderboard_of
    from pipelines.runs.records import read_run
    from pipelines.runs.workspace import workspace_root

    record = read_run(store, run, problems)
    cache = Cache(store, workspace_root(store))
    return leaderboard_of(cache, record, str(exported) if exported else None)


def print_board(board: Leaderboard, *, as_json: bool, failures: bool = True) -> None:
    """Print a leaderboard, as one JSON document or for people.

    Args:
        board: What a run found out.
        as_json: As one document, which always holds everything.
        failures: Whether people are told here why steps failed.
    """
    if as_json:
        print_json(board.to_json())
    else:
        from pipelines.cli import tables

        print_table(tables.leaderboard(board, failures=failures))
