"""``slimline tick``: triggers evaluated once, for cron, systemd or a CronJob."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.commands.run import promote_where_asked
from pipelines.cli.output import (
    BUG,
    OK,
    USER_FAULT,
    complain,
    print_json,
    print_remark,
    print_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.cli.trigger_documents import TickedTrigger
    from pipelines.stores.store import Store
    from pipelines.triggers.notifying import Event, Notice
    from pipelines.triggers.ticking import Ticked

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
    parser.add_argument(
        "--notify", metavar="COMMAND",
        help="in quotes; it gets a JSON document on standard input for each thing to know",
    )  # fmt: skip
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, run what is due, and say what came of it."""
    from pipelines.triggers.notifying import notify, words_of
    from pipelines.triggers.ticking import Ticker

    command = words_of(arguments.notify) if arguments.notify else None
    store = open_existing(arguments)
    ticker = Ticker(store, at_once=max(1, arguments.at_once))
    told: list[TickedTrigger] = []
    code = OK
    try:
        for ticked in ticker.tick(arguments.name):
            told.append(ticked_json(ticked))
            for row in ticked.rows if not arguments.json else ():
                print_text(f"{ticked.trigger}: {row.what}: {row.why}")
            for notice in _notices(store, ticked):
                if command and (wrong := notify(command, notice)):
                    print_remark(wrong)
            code = max(code, _code(ticked))
    finally:
        ticker.close()
    if arguments.json:
        print_json({"triggers": [asdict(one) for one in told]})
    elif not told:
        print_text("no triggers: slimline schedule add, or slimline watch add")
    return code


def ticked_json(ticked: Ticked) -> TickedTrigger:
    """Return what is printed of an evaluation."""
    from pipelines.cli.trigger_documents import TickedTrigger

    error = {"what": ticked.error.what, "fix": ticked.error.fix} if ticked.error else None
    return TickedTrigger(ticked.trigger, ticked.rows, error)


def _code(ticked: Ticked) -> int:
    """Complain of what failed, and return the exit code."""
    if ticked.error:
        complain(f"{ticked.trigger}: {ticked.error.what}", ticked.error.fix)
        return USER_FAULT
    for run, carried in ticked.carried.items():
        if carried.what in ("failed", "refused"):
            why = f": {carried.why}" if carried.why else ""
            refused = carried.what == "refused"
            complain(
                f"{ticked.trigger}: the run {run} {carried.what}{why}",
                "put that right: the next tick tries again"
                if refused
                else f"slimline show {run}; slimline triggers retry {ticked.trigger}",
            )
            return USER_FAULT if refused else BUG
    return OK


def _notices(store: Store, ticked: Ticked) -> Iterator[Notice]:
    """Yield what people may want to know, and promote what is to be promoted by itself."""
    from pipelines.triggers.kept import config_of, read_trigger
    from pipelines.triggers.launches import launches
    from pipelines.triggers.notifying import Notice

    def notice(event: Event, why: str, at: str, run: str = "") -> Notice:
        return Notice(event, ticked.trigger, store.uri, at, why, run)

    for row in ticked.rows:
        plain: dict[str, Event] = {"hold": "held", "pause": "paused", "error": "error"}
        if (event := plain.get(row.what)) and row.count == 1:  # once, not with each tick
            yield notice(event, row.why, row.last)
        carried = ticked.carried.get(row.run)
        if carried is None:
            continue
        trigger = read_trigger(store, ticked.trigger)
        if carried.what == "done":
            said = promote_where_asked(config_of(trigger), row.run)
            promoted = said.startswith("promoted")
            yield notice(
                "promoted" if promoted else "candidate", said or row.why, row.last, row.run
            )
        elif carried.what in ("failed", "refused"):
            state = launches(store, trigger)[row.key].state(trigger.retries)
            event = "dead letter" if state == "dead letter" else "failed"
            yield notice(event, row.why, row.last, row.run)
