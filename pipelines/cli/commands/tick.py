"""``slimline tick``: triggers evaluated once, for cron, systemd or a CronJob."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import NO_WINNER, OK, USER_FAULT, complain, print_json, print_text

_CHANGES = """\
changes: what is due is run here, in the foreground, each launch once whoever else ticks; the
store keeps what was decided and why. Triggers that are paused start nothing."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "evaluate schedules and watches once, and run what is due"
    parser = add_command(commands, "tick", summary, run, _CHANGES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a trigger (default: all)")
    parser.add_argument(
        "--at-once", type=int, default=1, metavar="N",
        help="so many launches of all triggers may go on at a time (default: 1)",
    )  # fmt: skip
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, run what is due, and say what came of it."""
    from pipelines.cli.commands.run import promote_where_asked
    from pipelines.triggers.kept import config_of, read_trigger
    from pipelines.triggers.ticking import Ticker, rows_json

    store = open_existing(arguments)
    ticker = Ticker(store, at_once=max(1, arguments.at_once))
    told: list[dict[str, Any]] = []
    code = OK
    try:
        for ticked in ticker.tick(arguments.name):
            told.append(rows_json(ticked))
            for row in ticked.rows if not arguments.json else ():
                print_text(f"{ticked.trigger}: {row.what}: {row.why}")
            if ticked.error:
                complain(f"{ticked.trigger}: {ticked.error.what}", ticked.error.fix)
                code = USER_FAULT
            for run, carried in ticked.carried.items():
                if carried.what == "done":
                    promote_where_asked(config_of(read_trigger(store, ticked.trigger)), run)
                elif carried.what in ("failed", "refused"):
                    code = code or NO_WINNER if carried.what == "failed" else USER_FAULT
    finally:
        ticker.close()
    if arguments.json:
        print_json({"triggers": told})
    elif not told:
        print_text("no triggers; add one: slimline schedule add, or slimline watch add")
    return code
