"""``slimline watch add``: runs when the data has changed."""

from __future__ import annotations

import argparse
from typing import Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, place_arguments
from pipelines.cli.output import OK, print_remark
from pipelines.cli.triggering import add_trigger, print_added, trigger_arguments


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser("watch", help="run when the data has changed")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = add_command(
        actions, "add", "run a configuration when its data has changed, or change when", _add
    )
    trigger_arguments(new)
    new.add_argument("--engine", default="local", metavar="NAME", help="default: local")
    new.add_argument(
        "--every", default="60s", metavar="TIME", help="how often it is looked at (default: 60s)"
    )
    whole = new.add_mutually_exclusive_group()
    whole.add_argument(
        "--quiet", metavar="TIME",
        help="take data that nobody has changed for so long (default: 10m); a guess",
    )  # fmt: skip
    whole.add_argument(
        "--marker", metavar="FILE",
        help="take data when this file lies there, newer than all beside it, such as _SUCCESS",
    )  # fmt: skip
    new.add_argument(
        "--settle", choices=("all", "folder"), default="all",
        help="folder: each folder is whole by itself, for data that never rests; those that are "
        "being written are left out (default: all)",
    )  # fmt: skip
    new.add_argument(
        "--max-wait", default="6h", metavar="TIME",
        help="ask a person when data was not whole for so long (default: 6h)",
    )  # fmt: skip
    new.add_argument(
        "--when", action="append", default=[], metavar="THRESHOLD",
        help="train when images:200 are new, identities:5, changed:5%%, or age:30d; any of them "
        "(default: any change)",
    )  # fmt: skip
    new.add_argument("--at-most", default="", metavar="RATE", help="such as 1/24h")
    new.add_argument(
        "--shrink", default="20%", metavar="SHARE",
        help="ask a person when so large a share of the files is gone (default: 20%%)",
    )  # fmt: skip
    new.add_argument(
        "--against", choices=("last", "champion"), default="last",
        help="count changes since the last launch that ended well, or since the champion's data",
    )  # fmt: skip
    place_arguments(new)
    new.add_argument("--json", action="store_true", help="one JSON document and nothing else")


def _add(arguments: argparse.Namespace) -> int:
    from pipelines.config.loading import load
    from pipelines.sources.local import PACKAGE
    from pipelines.sources.sighting import sight, sight_folders
    from pipelines.triggers import amounts
    from pipelines.triggers.deciding import needs_files
    from pipelines.triggers.settings import WatchSettings

    asked = amounts.thresholds(arguments.when)
    if arguments.at_most:
        amounts.rate(arguments.at_most, "--at-most")
    quiet = None if arguments.marker else amounts.duration_s(arguments.quiet or "10m", "--quiet")
    if arguments.marker and "/" in arguments.marker:
        raise UserError(
            f"--marker {arguments.marker} is no name of a file beside the data",
            "write it like --marker _SUCCESS",
        )
    watch = WatchSettings(
        every_s=amounts.duration_s(arguments.every, "--every"),
        quiet_s=quiet,
        marker=arguments.marker,
        settle=arguments.settle,
        max_wait_s=amounts.duration_s(arguments.max_wait, "--max-wait"),
        when=tuple(arguments.when),
        at_most=arguments.at_most,
        shrink=amounts.share(arguments.shrink, "--shrink"),
        against=arguments.against,
    )
    config = load(arguments.config)
    place = config.data
    if arguments.marker and place.startswith(PACKAGE):
        raise UserError(
            f"--marker {arguments.marker}: nobody uploads to {place}, which an installed package "
            "brings",
            "leave --marker out: another version of the package counts as new data",
        )
    files = (sight_folders if watch.settle == "folder" else sight)(place).files
    store, made = add_trigger(arguments, config, watch=watch)
    if files == 1 and needs_files(asked):
        print_remark(
            f"{place} is one file: --when images, identities and changed count files, and see one\n"
            "fix: leave --when out, so that each change of it counts"
        )
    if quiet is not None:
        print_remark(
            "without --marker nobody can tell an upload that pauses from one that has ended: let "
            "what uploads write a file last, and name it with --marker"
        )
    print_added(store, made, as_json=arguments.json)
    return OK
