"""``slimline triggers``: what starts runs, and what became of it."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError, suggest
from pipelines.cli.arguments import (
    add_command,
    connect,
    open_existing,
    place_arguments,
    store_arguments,
)
from pipelines.cli.output import OK, complain, print_json, print_text
from pipelines.cli.triggering import print_triggers

if TYPE_CHECKING:
    from pipelines.cli.trigger_documents import NativeSchedule
    from pipelines.stores.store import Store
    from pipelines.triggers.launch_states import Launch
    from pipelines.triggers.running import Carried
    from pipelines.triggers.settings import Trigger
    from pipelines.triggers.ticks import Tick

_FAILED = ("dead letter", "failed")


def add(commands: Any) -> None:
    """Add the parsers of the command and its actions."""
    parser = commands.add_parser("triggers", help="what starts runs, and what became of it")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    every = add_command(actions, "list", "list schedules and watches", listed)
    every.add_argument(
        "--engine", choices=("kubeflow",), help="list the recurring runs of its cluster, too"
    )
    place_arguments(every)
    store_arguments(every)
    for name, summary, run in (
        ("show", "a trigger with what comes next and its last launches", _show),
        ("test", "what a tick would do now, and why; nothing is started or noted", _test),
        ("run", "launch it now, whatever its times, its data and its thresholds say", _run),
        ("pause", "start nothing until it is resumed", pause),
        ("resume", "start runs again, without those that were missed", resume),
        ("remove", "remove a trigger; its runs stay", remove),
        ("history", "the latest evaluations, with the reason of each", _history),
        ("retry", "try a launch again that failed, or that was left out", _retry),
        ("dismiss", "say that a launch that failed is not to be tried again", _dismiss),
    ):
        one = add_command(actions, name, summary, run)
        one.add_argument("name", metavar="NAME", help="of the trigger")
        if name in ("retry", "dismiss"):
            one.add_argument(
                "key", nargs="?", metavar="KEY",
                help="of the launch, as show lists it (default: the latest that failed)",
            )  # fmt: skip
        if name == "history":
            which = one.add_mutually_exclusive_group()
            which.add_argument("--all", action="store_true", help="all that were kept")
            which.add_argument(
                "--day", metavar="DATE", help="those of a day in UTC, such as 2026-11-27"
            )
        if name in ("pause", "dismiss", "run"):
            one.add_argument("--reason", default="", metavar="TEXT", help="kept with it")
        store_arguments(one)


def listed(arguments: argparse.Namespace) -> int:
    """List all triggers of a store."""
    from pipelines.triggers.kept import list_triggers

    store = open_existing(arguments)
    whole, damaged = list_triggers(store)
    print_triggers(store, whole, as_json=arguments.json, native=_native(arguments))
    for one in damaged:
        complain(
            f"the trigger {one.name} cannot be read: {one.why.splitlines()[0]}",
            f"slimline triggers remove {one.name}, and add it again",
        )
    return OK


def _native(arguments: argparse.Namespace) -> list[NativeSchedule]:
    """Return the recurring runs that slimline made in a cluster, where one is named."""
    if not arguments.engine:
        if arguments.host:
            raise UserError(
                "--host is for --engine kubeflow", "add --engine kubeflow, or leave --host out"
            )
        return []
    from pipelines.cli.trigger_documents import NativeSchedule
    from pipelines.engines.kubeflow.recurring import schedules

    return [
        NativeSchedule(
            name=one.name,
            kind="native",
            cron=one.times.five,
            zone=one.zone.key,
            enabled=one.enabled,
            recurring_run=one.recurring_run,
            next=[moment.isoformat(timespec="seconds") for moment in one.next()],
        )
        for one in schedules.listed(connect(arguments))
    ]


def _show(arguments: argparse.Namespace) -> int:
    store, trigger = _named(arguments)
    print_triggers(store, [trigger], as_json=arguments.json, launches=True)
    return OK


def _test(arguments: argparse.Namespace) -> int:
    from pipelines.cli.commands.tick import ticked_json
    from pipelines.triggers.ticking import Ticker

    store, trigger = _named(arguments)
    late: list[Tick] = []
    ticker = Ticker(store, on_late=lambda _name, row: late.append(row))
    try:
        (ticked,) = ticker.tick(trigger.name, dry=True)
    finally:
        ticker.close()
    if arguments.json:
        print_json(asdict(ticked_json(ticked)))
    else:
        for row in (*late, *ticked.rows):
            print_text(f"{row.what}: {row.why}")
        _propose_quiet(store, trigger)
    if ticked.error:
        raise ticked.error
    return OK


def _propose_quiet(store: Store, trigger: Trigger) -> None:
    """Say so where the data stood still for longer than quiet allows for, and was written on."""
    from pipelines.cli.output import print_remark
    from pipelines.stores.layout import observed_key
    from pipelines.triggers.amounts import in_words, told
    from pipelines.triggers.kept import get_json
    from pipelines.triggers.observing import proposed_quiet_s, read_observed

    seen = read_observed(get_json(store, observed_key(trigger.name)))
    if trigger.watch and seen and (quiet_s := proposed_quiet_s(trigger.watch, seen)):
        minutes = -(-quiet_s // 60)
        print_remark(
            f"the data stood still for {told(seen.longest_pause_s)} and was written on then: "
            f"--quiet {in_words(60 * minutes)} waits three times as long, --marker is certain"
        )


def _run(arguments: argparse.Namespace) -> int:
    from pipelines.triggers.ticking import Ticker

    store, trigger = _named(arguments)
    ticker = Ticker(store)
    try:
        run, carried = ticker.launch_now(trigger, arguments.reason or "started by hand", _actor())
    finally:
        ticker.close()
    return _carried(arguments, run, carried)


def pause(arguments: argparse.Namespace) -> int:
    """Pause a trigger."""
    from pipelines.triggers.kept import change_trigger

    store = open_existing(arguments)
    why = f"{arguments.reason or 'by hand'}, by {_actor()}"
    made = change_trigger(store, arguments.name, lambda one: replace(one, paused=why))
    print_triggers(store, [made], as_json=arguments.json)
    return OK


def resume(arguments: argparse.Namespace) -> int:
    """Resume a trigger; times before now are not made up for."""
    from pipelines.triggers.kept import change_trigger

    store = open_existing(arguments)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = change_trigger(store, arguments.name, lambda one: replace(one, paused="", since=now))
    print_triggers(store, [made], as_json=arguments.json)
    return OK


def remove(arguments: argparse.Namespace) -> int:
    """Remove a trigger."""
    from pipelines.triggers.kept import remove_trigger

    remove_trigger(open_existing(arguments), arguments.name)
    if arguments.json:
        print_json({"triggers": []})
    else:
        print_text(f"removed {arguments.name}; its runs stay")
    return OK


def _history(arguments: argparse.Namespace) -> int:
    from pipelines.triggers.ticks import all_ticks, read_late, read_ticks, ticks_of_day

    store, trigger = _named(arguments)
    if arguments.day:
        rows = ticks_of_day(store, trigger.name, trigger.uid, _date(arguments.day))
    elif arguments.all:
        rows = tuple(all_ticks(store, trigger.name, trigger.uid))
    else:
        rows = read_ticks(store, trigger.name)
    late = [row for row in read_late(store, trigger.name) if arguments.day in (None, row.at[:10])]
    rows = sorted((*rows, *late), key=lambda row: row.at)
    if arguments.json:
        print_json({"trigger": trigger.name, "ticks": [asdict(row) for row in rows]})
        return OK
    for row in rows:
        until = f" to {row.last}, {row.count} times" if row.count > 1 else ""
        print_text(f"{row.at}{until}  {row.what}: {row.why}")
    if not rows and arguments.day:
        print_text(f"nobody has evaluated {trigger.name} on {arguments.day}")
    elif not rows:
        print_text(f"nobody has evaluated {trigger.name} yet: slimline tick {trigger.name}")
    return OK


def _date(text: str) -> str:
    """Return a date as it is written in the store.

    Raises:
        UserError: It is none.
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UserError(
            f"--day {text!r} is no date", f"write it like --day {datetime.now(UTC):%Y-%m-%d}"
        ) from None


def _retry(arguments: argparse.Namespace) -> int:
    from pipelines.triggers.launches import reopen
    from pipelines.triggers.ticking import Ticker

    store, trigger = _named(arguments)
    others = ("skipped", "dismissed", "superseded", "cancelled") if arguments.key else ()
    launch = _launch(store, trigger, arguments.key, (*_FAILED, *others))
    reopen(store, trigger, launch.key)
    ticker = Ticker(store)
    try:
        run, carried = ticker.try_again(trigger, launch, f"tried again by {_actor()}")
    finally:
        ticker.close()
    return _carried(arguments, run, carried)


def _dismiss(arguments: argparse.Namespace) -> int:
    from pipelines.triggers.launches import end

    store, trigger = _named(arguments)
    launch = _launch(store, trigger, arguments.key, _FAILED)
    why = arguments.reason or "dismissed by hand"
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    end(store, trigger, launch.key, "dismissed", why, now, _actor())
    if arguments.json:
        print_json({"key": launch.key, "state": "dismissed"})
    else:
        print_text(f"{launch.key} is not tried again")
    return OK


def _carried(arguments: argparse.Namespace, run: str, carried: Carried) -> int:
    """Say what came of a launch, and return the exit code."""
    from pipelines.cli.output import BUG, USER_FAULT, print_remark
    from pipelines.cli.trigger_documents import LaunchedByHand

    if carried.promotion:
        print_remark(carried.promotion)
    if arguments.json:
        print_json(asdict(LaunchedByHand(run, carried.what, carried.why)))
    else:
        print_text(f"run {run}: {carried.what}" + (f", {carried.why}" if carried.why else ""))
    codes = {"done": OK, "running": OK, "failed": BUG}
    return codes.get(carried.what, USER_FAULT)


def _named(arguments: argparse.Namespace) -> tuple[Store, Trigger]:
    from pipelines.triggers.kept import read_trigger

    store = open_existing(arguments)
    return store, read_trigger(store, arguments.name)


def _launch(store: Store, trigger: Trigger, key: str | None, states: tuple[str, ...]) -> Launch:
    """Return the launch that is meant.

    Raises:
        UserError: There is none in one of these states.
    """
    from pipelines.triggers.launches import launches

    known = launches(store, trigger)
    fitting = [one for one in known.values() if one.state(trigger.retries) in states]
    if key is None and fitting:
        return fitting[-1]
    named = [one for one in fitting if key and one.key.startswith(key)]
    if len(named) == 1:
        return named[0]
    what = f"no launch {key}" if key else "no launch"
    raise UserError(
        f"the trigger {trigger.name} has {what} that is {', '.join(states[:-1])} or {states[-1]}",
        suggest(key or "", [one.key for one in fitting])
        if fitting
        else f"slimline triggers show {trigger.name} lists its launches",
    )


def _actor() -> str:
    from pipelines.runs.actor import actor

    return actor()
