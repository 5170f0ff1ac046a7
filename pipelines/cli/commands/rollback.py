"""``slimline rollback``: an earlier champion becomes the champion again."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.commands.promote import check_text, say, settings_arguments
from pipelines.cli.output import OK, print_remark

_CHANGES = """\
changes: the log of releases gets an entry, and champion.json follows it; with a key the entry is
signed. Nothing is removed: the release stays, and can be promoted again."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "make an earlier champion the champion again, once every byte of it was read"
    parser = add_command(commands, "rollback", summary, run, _CHANGES)
    parser.add_argument("name", metavar="NAME", help="a configuration's name")
    parser.add_argument(
        "--to", metavar="RELEASE", help="which one (default: the champion before this one)"
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; the log keeps it")
    settings_arguments(parser)
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Roll back, say what the champion is now, and return the exit code."""
    from pipelines.releases.naming import named_release
    from pipelines.releases.promoting import roll_back, rollback_target
    from pipelines.releases.settings import settings_of
    from pipelines.releases.signing import signer_of
    from pipelines.releases.states import check_name
    from pipelines.runs.actor import actor
    from pipelines.runs.cache import Cache
    from pipelines.runs.workspace import workspace_root

    check_text("--reason", arguments.reason)
    store = open_existing(arguments)
    cache = Cache(store, workspace_root(store))
    name = check_name(store, arguments.name)
    to = named_release(cache, arguments.to) if arguments.to else None
    settings, remark = settings_of(store, rollback_target(cache, name, to), arguments.config)
    if remark and not arguments.key:
        print_remark(remark)
    done = roll_back(
        cache,
        name,
        settings,
        actor=actor(),
        reason=arguments.reason,
        to=to,
        signer=signer_of(arguments.key or settings.key),
    )
    say(done, as_json=arguments.json)
    return OK
