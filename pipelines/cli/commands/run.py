"""``slimline run``: a configuration from its data to the release."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import (
    add_command,
    auth_of,
    check_place,
    config_arguments,
    load_config,
    place_arguments,
    project_arguments,
    without_argument,
)
from pipelines.cli.commands.show import print_board, read_board
from pipelines.cli.output import BUG, CANCELLED, NO_WINNER, OK, USER_FAULT, complain, print_remark
from pipelines.engines.opening import CLUSTERED, ENGINES

if TYPE_CHECKING:
    from pipelines.config.configuration import Config
    from pipelines.engines.engine import Cluster
    from pipelines.launch.launching import Launched, Ordered
    from pipelines.runs.leaderboard import Leaderboard


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = add_command(commands, "run", "run a configuration from its data to the release", run)
    config_arguments(parser)
    without_argument(parser)
    parser.add_argument("--engine", default="local", help=f"{', '.join(ENGINES)} (default: local)")
    parser.add_argument(
        "--remeasure", action="store_true", help="measure again what was disturbed the last time"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR",
        help="where release and report are written (default: slimline-out/NAME)",
    )  # fmt: skip
    parser.add_argument(
        "--run-id", metavar="RUN",
        help="what the run is called: NAME-YYYYMMDD-HHMMSS-XXXX, for who decides that before; "
        "on a cluster a run of that name is gone on with",
    )  # fmt: skip
    place_arguments(parser)
    project_arguments(parser)
    parser.add_argument(
        "--cancel-on-interrupt", action="store_true",
        help="Ctrl-C also ends the run in the cluster, which otherwise goes on",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the configuration, print its leaderboard, and return the exit code."""
    from rich.console import Console

    from pipelines.cli.live import LiveView
    from pipelines.launch.launching import launch
    from pipelines.stores.opening import open_store

    config = load_config(arguments)
    cluster = _cluster(arguments)
    ordered = _ordered(arguments, config)
    with LiveView(Console(stderr=True)) as view:
        launched = launch(
            config,
            engine=arguments.engine,
            output=arguments.output,
            remeasure=arguments.remeasure,
            cluster=cluster,
            ordered=ordered,
            on_event=view.on_event,
        )
    board = read_board(open_store(config.store), launched.run, launched.exported)
    # What failed is complained of below, with the fix.
    print_board(board, as_json=arguments.json, failures=launched.outcome != "failed")
    if launched.outcome == "done":
        promote_where_asked(config, launched.run)
    return _verdict(arguments, config, launched, board)


def promote_where_asked(config: Config, run: str) -> str:
    """Promote the release where the configuration asks for that, and say what came of it.

    Returns:
        What was said; "" where nothing was to be promoted.
    """
    if config.releases is None or config.releases.promotion != "auto":
        return ""
    from pipelines.releases.automatic import promote_automatically
    from pipelines.runs.cache import Cache
    from pipelines.runs.workspace import workspace_root
    from pipelines.stores.opening import open_store

    store = open_store(config.store)
    told = promote_automatically(Cache(store, workspace_root(store)), config, run) or ""
    if told:
        print_remark(told)
    return told


def _ordered(arguments: argparse.Namespace, config: Config) -> Ordered | None:
    """Return the run that the arguments name; None where they leave that to the launch.

    Raises:
        UserError: The name is none of a run of this configuration, or of one that has begun.
    """
    from pipelines.launch.launching import Ordered
    from pipelines.runs.actor import actor
    from pipelines.runs.records import new_run_id, run_ids
    from pipelines.stores.layout import run_key, started_key
    from pipelines.stores.opening import open_store

    run = arguments.run_id
    if run is None:
        return None
    if not run_ids(config.name).fullmatch(run):
        raise UserError(
            f"--run-id {run}: it is no identifier of a run of {config.name}",
            f"write it as {new_run_id(config.name)}: time in UTC, four hexadecimal digits",
        )
    begun = open_store(config.store).stat_many([run_key(run), started_key(run)])
    if begun[0] or (begun[1] and arguments.engine not in CLUSTERED):
        raise UserError(
            f"--run-id {run}: the store {config.store} has that run", "leave --run-id out"
        )
    return Ordered(run, actor())


def _cluster(arguments: argparse.Namespace) -> Cluster:
    """Return the cluster that is meant.

    Raises:
        UserError: The engine is of this machine, and yet a cluster is given.
    """
    from pipelines.engines.engine import Cluster

    check_place(arguments)
    return Cluster(
        host=arguments.host,
        namespace=arguments.namespace,
        auth=auth_of(arguments),
        project=arguments.project,
        location=arguments.location,
        cancel_on_interrupt=arguments.cancel_on_interrupt,
    )


def _verdict(
    arguments: argparse.Namespace, config: Config, launched: Launched, board: Leaderboard
) -> int:
    """Say what to do next where a run did not end well, and return the exit code."""
    from pipelines.cli.run_states import asked_by

    again = f"slimline {shlex.join(arguments.given)}"
    if launched.outcome == "running":
        print_remark(f"the run goes on in the cluster: {launched.page}")
        print_remark(f"when it has ended: {_sync_command(arguments, config)}")
        return CANCELLED
    if launched.outcome == "cancelled":
        asked = launched.cancelled
        by = asked_by(asked["actor"], asked["reason"]) if asked else ""
        print_remark(f"cancelled{by}; what is done is kept, go on with: {again}")
        return CANCELLED
    if launched.outcome == "failed":
        for failure in board.failures:
            complain(failure.what, failure.fix)
            log = shlex.join(
                ["slimline", "logs", launched.run, failure.step, "--store", config.store]
            )
            print_remark(f"log: {log}")
        print_remark(f"then, with all finished steps kept: {again}")
        return USER_FAULT if all(failure.user_fault for failure in board.failures) else BUG
    if arguments.engine in CLUSTERED and (runs := runs_relied_on(launched)):
        print_remark(f"nothing ran in the cluster: all results are of {' and '.join(runs)}")
    if any(row.variant.verdict == "undecided" for row in board.variants):
        print_remark(f"when the machine is quiet: {again} --remeasure")
    return OK if board.decision and board.decision.winner else NO_WINNER


def runs_relied_on(launched: Launched) -> list[str]:
    """Return the runs that made all results of one that executed nothing; else none."""
    from pipelines.runs.live.events import StepDone
    from pipelines.stores.layout import step_of_record

    steps = [one for one in launched.steps.values() if isinstance(one, StepDone)]
    if launched.page is not None or not all(one.cached for one in steps):
        return []
    return sorted({step_of_record(one.record)[0] for one in steps})


def _sync_command(arguments: argparse.Namespace, config: Config) -> str:
    """Return the command that imports the run which these arguments launched."""
    settings = config.kubeflow
    if arguments.engine == "vertex":
        from pipelines.engines.vertex.place import place_of

        place = place_of(
            arguments.project, arguments.location, arguments.host, settings and settings.vertex
        )
        return f"slimline sync {place.options} {shlex.join(['--store', config.store])}"
    words = ["slimline", "sync", "--engine", arguments.engine]
    for option in ("host", "namespace"):
        if value := getattr(arguments, option):
            words += [f"--{option}", value]
    if auth := auth_of(arguments) or (settings and settings.auth):
        words += auth.options
    return shlex.join([*words, "--store", config.store])
