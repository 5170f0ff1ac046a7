"""``slimline tick``: triggers evaluated once, for cron, systemd or a CronJob."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import add_command, open_existing, store_arguments
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
    from pipelines.cli.trigger_documents import TickedTrigger
    from pipelines.stores.store import Store
    from pipelines.triggers.notifying import Notice
    from pipelines.triggers.ticking import Ticked, Ticker
    from pipelines.triggers.ticks import Tick

_CHANGES = """\
changes: what is due is run here, in the foreground, each launch once whoever else ticks; the
store keeps what was decided and why. Triggers that are paused start nothing. --detach: it is run
by processes of their own, one a trigger."""


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
    parser.add_argument(
        "--detach", action="store_true",
        help="do not wait: what is due runs in processes of their own, which outlive this one",
    )  # fmt: skip
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, run what is due, and say what came of it."""
    from pipelines.triggers.noticing import notices
    from pipelines.triggers.notifying import words_of

    command = words_of(arguments.notify) if arguments.notify else ()
    store = open_existing(arguments)
    ticker = _ticker(arguments, store, command)
    told: list[TickedTrigger] = []
    code = OK
    try:
        for ticked in ticker.tick(arguments.name):
            told.append(ticked_json(ticked))
            for row in ticked.rows if not arguments.json else ():
                print_text(f"{ticked.trigger}: {row.what}: {row.why}")
            for notice in notices(store, ticked):
                if notice.event == "promoted" or notice.why.startswith("not promoted"):
                    print_remark(notice.why)
                _tell(store, command, notice)
            code = max(code, _code(ticked))
    finally:
        ticker.close()
    if arguments.json:
        print_json({"triggers": [asdict(one) for one in told]})
    elif not told:
        print_text("no triggers: slimline schedule add, or slimline watch add")
    return code


def _tell(store: Store, command: tuple[str, ...], notice: Notice) -> None:
    """Give a notice to the command that is to get them, if there is one."""
    from pipelines.triggers.notifying import notify
    from pipelines.triggers.spawning import ticks_folder

    if command and (wrong := notify(command, notice, ticks_folder(store))):
        print_remark(wrong)


def _ticker(arguments: argparse.Namespace, store: Store, command: tuple[str, ...]) -> Ticker:
    """Return what evaluates: here, or with processes of their own for what is due."""
    from pipelines.triggers.noticing import notice_of_late
    from pipelines.triggers.spawning import begin_tick, log_path
    from pipelines.triggers.ticking import Ticker

    at_once = max(1, arguments.at_once)

    def on_late(name: str, row: Tick) -> None:
        print_remark(f"{name}: {row.what}: {row.why}")
        _tell(store, command, notice_of_late(store, name, row))

    def hand_over(name: str) -> None:
        begin_tick(store, name, at_once=at_once, notify=command)
        if not arguments.json:
            print_text(
                f"{name}: goes on in a process of its own, which writes {log_path(store, name)}"
            )

    return Ticker(
        store, at_once=at_once, on_late=on_late, hand_over=hand_over if arguments.detach else None
    )


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
