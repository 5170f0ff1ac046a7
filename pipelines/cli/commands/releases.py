"""``slimline releases``: what has been published, and which release is the champion."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import ANSWER_NO, OK, complain, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.releases.states import ReleaseState


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "list releases: the champion, candidates, those that were rolled back, and the log"
    parser = add_command(commands, "releases", summary, run)
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a configuration's name (default: all)"
    )
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print releases and logs, and return the exit code."""
    from pipelines.cli import release_documents, release_text
    from pipelines.releases.states import check_name, states_of
    from pipelines.runs.cache import Cache
    from pipelines.runs.releases.champions import champion_of
    from pipelines.runs.releases.registry import release_names
    from pipelines.runs.releases.release_log import read_log
    from pipelines.runs.workspace import workspace_root

    store = open_existing(arguments)
    cache = Cache(store, workspace_root(store))
    names = [check_name(store, arguments.name)] if arguments.name else release_names(store)
    states = [state for name in names for state in states_of(cache, name)]
    logs = [read_log(store, name) for name in names]
    whole = all(not log.faults for log in logs)
    for log in logs:
        if log.champion and not log.faults and _is_readable(states, log.name):
            champion_of(store, log.name)  # repairs champion.json where it is behind
    if arguments.json:
        print_json(asdict(release_documents.listed_releases(states, logs)))
        return OK if whole else ANSWER_NO
    print_table(release_text.releases(states))
    for log in logs:
        if arguments.name and log.entries:
            print_table(release_text.log(log.entries))
        for fault in log.faults:
            complain(
                f"the log of {log.name}: {fault}; what comes from there on does not count",
                "put the entries back as a copy of the store has them",
            )
    return OK if whole else ANSWER_NO


def _is_readable(states: Sequence[ReleaseState], name: str) -> bool:
    """Whether the champion of a name can be read: else the list says what is damaged."""
    return any(state.name == name and state.state == "champion" for state in states)
