"""What ``schedule add`` and ``watch add`` have in common, and how triggers are shown."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.errors import UserError
from pipelines.cli.arguments import auth_of, check_place
from pipelines.cli.output import print_json, print_remark, print_text

if TYPE_CHECKING:
    from pipelines.cli.trigger_documents import ListedTrigger, NativeSchedule
    from pipelines.config.configuration import Config
    from pipelines.stores.store import Store
    from pipelines.triggers.settings import ScheduleSettings, Trigger, WatchSettings

_SHOWN, _KEY = 10, 16


def trigger_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every trigger is made of beside its times."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file: slimline init")
    parser.add_argument(
        "--name", metavar="NAME", help="of the trigger (default: the configuration's)"
    )
    parser.add_argument("--store", metavar="PLACE", help="instead of the configuration's store")
    parser.add_argument(
        "--retries", type=int, default=2, metavar="N",
        help="how often a launch that failed is tried again: after 1, 5, 25 minutes (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, metavar="DIR",
        help="where release and report are written (default: slimline-out/NAME here)",
    )  # fmt: skip


def add_trigger(
    arguments: argparse.Namespace,
    config: Config,
    *,
    schedule: ScheduleSettings | None = None,
    watch: WatchSettings | None = None,
) -> tuple[Store, Trigger]:
    """Keep a trigger of a configuration.

    Raises:
        UserError: The configuration, the engine or an option cannot be used.
    """
    from pipelines.compress import graph_of
    from pipelines.config.secrets import refuse_secrets
    from pipelines.engines.opening import CLUSTERED, ENGINES
    from pipelines.runs.actor import actor
    from pipelines.stores.opening import open_store
    from pipelines.triggers.kept import config_text, new_uid, put_trigger
    from pipelines.triggers.settings import Trigger

    if arguments.engine not in ENGINES:
        raise UserError(
            f"--engine {arguments.engine}: there is no such engine", f"one of {', '.join(ENGINES)}"
        )
    check_place(arguments)
    if auth_of(arguments):
        raise UserError(
            "whoever ticks asks the cluster, and has no such option",
            "write it into the configuration: kubeflow: {auth: {command: [...]}}",
        )
    if not 0 <= arguments.retries <= 10:
        raise UserError(f"--retries {arguments.retries}: expected 0 to 10", "write --retries 2")
    if arguments.name is not None:
        _check_name(arguments.name)
    config = config.relocated(store=arguments.store)
    refuse_secrets(config)
    graph = graph_of(config)
    if arguments.engine in CLUSTERED:
        from pipelines.engines.kubeflow.ir import preflight

        preflight.check(config, graph)
    store = open_store(config.store)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    output = arguments.output or Path("slimline-out") / config.name
    made = put_trigger(
        store,
        Trigger(
            uid=new_uid(),
            name=arguments.name or config.name,
            config=config_text(config),
            config_digest=config.digest,
            engine=arguments.engine,
            output=str(output.absolute()),
            retries=arguments.retries,
            since=now,
            created=now,
            actor=actor(),
            host=arguments.host or "",
            namespace=arguments.namespace or "",
            schedule=schedule,
            watch=watch,
        ),
    )
    return store, made


def print_added(store: Store, trigger: Trigger, *, as_json: bool) -> None:
    """Print a trigger that was added, and what has to be called for it to start anything."""
    print_triggers(store, [trigger], as_json=as_json)
    print_remark(f"its runs are started by: slimline tick --store {shlex.quote(store.uri)}")


def _check_name(name: str) -> None:
    """Check that a trigger is called what a configuration can be called, too."""
    from pydantic import TypeAdapter, ValidationError

    from pipelines.config.sections import Name

    try:
        TypeAdapter[str](Name).validate_python(name)
    except ValidationError as error:
        told = error.errors()[0].get("ctx", {})
        raise UserError(f"--name {told['what']}", told["fix"]) from None


def listed(store: Store, trigger: Trigger) -> ListedTrigger:
    """Return what is told of a trigger."""
    from pipelines.cli.trigger_documents import ListedLaunch, ListedTrigger
    from pipelines.triggers.launches import launches
    from pipelines.triggers.standing import next_times, overdue
    from pipelines.triggers.ticks import read_ticks

    now = datetime.now(UTC)
    ticks = read_ticks(store, trigger.name)
    return ListedTrigger(
        name=trigger.name,
        kind=trigger.kind,
        uid=trigger.uid,
        config_digest=trigger.config_digest,
        data=str(trigger.configured["data"]),
        engine=trigger.engine,
        schedule=trigger.schedule,
        watch=trigger.watch,
        retries=trigger.retries,
        since=trigger.since,
        actor=trigger.actor,
        paused=trigger.paused,
        next=[moment.isoformat() for moment in next_times(trigger, 5, now)],
        overdue=overdue(trigger, ticks[-1].last if ticks else "", now),
        last_tick=ticks[-1] if ticks else None,
        launches=[
            ListedLaunch(
                launch.key,
                launch.state(trigger.retries),
                [attempt.run for attempt in launch.attempts],
                launch.why,
            )
            for launch in launches(store, trigger).values()
        ],
    )


def print_triggers(
    store: Store,
    triggers: Sequence[Trigger],
    *,
    as_json: bool,
    launches: bool = False,
    native: Sequence[NativeSchedule] = (),
) -> None:
    """Print triggers, each with what comes next and what became of the last evaluation."""
    told = [listed(store, trigger) for trigger in triggers]
    if as_json:
        from pipelines.cli.trigger_documents import ListedTriggers

        print_json(asdict(ListedTriggers(told, native)))
        return
    for one in told:
        print_text("\n".join(_lines(one)))
        if one.overdue:
            print_remark(
                f"{one.name}: {one.overdue}\nfix: let cron, systemd or a CronJob call "
                f"slimline tick --store {shlex.quote(store.uri)}"
            )
        for launch in one.launches[-_SHOWN:] if launches else ():
            runs = ", ".join(launch.runs)
            print_text(f"  {launch.key[:_KEY]}  {launch.state}  {runs}  {launch.why}")
    for recurring in native:
        state = "" if recurring.enabled else ", paused"
        print_text(f"{recurring.name}: native, started by the cluster itself{state}")
        print_text(f"  {recurring.cron} in {recurring.zone}; each run trains on the same snapshot")
        for moment in recurring.next:
            print_text(f"  next: {moment}")
    if not triggers and not native:
        print_text("no triggers: slimline schedule add, or slimline watch add")


def _lines(one: ListedTrigger) -> list[str]:
    from pipelines.triggers.amounts import in_words

    lines = [f"{one.name}: {one.kind} on the engine {one.engine}"]
    if one.schedule:
        lines.append(
            f"  {one.schedule.cron} in {one.schedule.zone}; overlapping: {one.schedule.overlap}"
        )
        lines += [f"  next: {moment}" for moment in one.next]
    if watched := one.watch:
        quiet = f"quiet for {in_words(watched.quiet_s or 0)}"
        ready = f"marker {watched.marker}" if watched.marker else quiet
        ready += ", each folder by itself" if watched.settle == "folder" else ""
        when = ", ".join(watched.when) or "any change"
        lines.append(f"  watches {one.data}: {ready}; trains on {when}")
    if one.paused:
        lines.append(f"  paused: {one.paused}")
    if tick := one.last_tick:
        times = f" ({tick.count} times)" if tick.count > 1 else ""
        lines.append(f"  last: {tick.last} {tick.what}{times}: {tick.why}")
    return lines
