"""``slimline explain``: what would run, what is cached, and why."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError, suggest
from pipelines.cli.arguments import (
    add_command,
    check_place,
    config_arguments,
    connect,
    load_config,
    place_arguments,
    print_problems,
    project_arguments,
    without_argument,
)
from pipelines.cli.output import OK, print_json, print_remark, print_table, print_text
from pipelines.engines.opening import CLUSTERED, ENGINES

if TYPE_CHECKING:
    from pipelines.config.configuration import Config
    from pipelines.engines.kubeflow.launching.fitting import Foreseen
    from pipelines.engines.kubeflow.launching.foreseeing import Foresight
    from pipelines.runs.records import Problem


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "say what would run, what is cached, and why"
    parser = add_command(commands, "explain", summary, run)
    config_arguments(parser)
    without_argument(parser)
    parser.add_argument(
        "--engine", default="local", metavar="NAME",
        help=f"also what it would take there: {' or '.join(CLUSTERED)} (default: local)",
    )  # fmt: skip
    parser.add_argument(
        "--kfp", metavar="VERSION",
        help="of the cluster, such as 2.17.0, where no --host is asked for it",
    )  # fmt: skip
    place_arguments(parser)
    project_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation and return the exit code."""
    from pipelines.cli import documents, tables
    from pipelines.config.loading import says_auto, suggestion_for
    from pipelines.config.suggest.writing import variants_block
    from pipelines.launch.explaining import estimate, explain

    config = load_config(arguments)
    cluster = _foreseen(arguments, config)
    problems: list[Problem] = []
    explained = explain(config, problems=problems)
    foresight: Foresight | None = None
    if arguments.engine == "kubeflow" and cluster:
        from pipelines.launch.explaining import explain_cluster

        try:
            explained, foresight = explain_cluster(config, cluster.version, problems=problems)
        except UserError as error:
            print_remark(f"what earlier runs left on the cluster is not known: {error.what}")
            print_remark(f"fix: {error.fix}")
    seconds = estimate(config, explained)
    if arguments.json:
        there = documents.explained_cluster(cluster) if cluster else None
        print_json(asdict(documents.explained(config, explained, seconds, problems, there)))
    else:
        if says_auto(arguments.config):
            print_text(variants_block(suggestion_for(arguments.config)))
        print_table(tables.explanation(explained, seconds))
        print_problems(problems)
        if foresight:
            print_text(foresight.text)
        if cluster:
            print_text(cluster.text)
        if cluster and cluster.fault and not foresight:
            print_remark(f"warning: {cluster.fault.what}\nfix: {cluster.fault.fix}")
    return OK


def _foreseen(arguments: argparse.Namespace, config: Config) -> Foreseen | None:
    """Say what the run would take on the cluster that is meant; None where none is.

    Raises:
        UserError: There is no such engine, pods cannot reach something, or the cluster does not
            answer.
    """
    if arguments.engine not in ENGINES:
        raise UserError(
            f"there is no engine {arguments.engine!r}", suggest(arguments.engine, ENGINES)
        )
    check_place(arguments)
    if arguments.engine not in CLUSTERED:
        return None
    from pipelines.compress import graph_of
    from pipelines.engines.kubeflow.api.access import ENDPOINT
    from pipelines.engines.kubeflow.ir import preflight, vertex
    from pipelines.engines.kubeflow.ir.servers import wanted
    from pipelines.engines.kubeflow.launching import fitting

    reachable = preflight.check(config, graph_of(config))
    if arguments.engine == "vertex":  # which says no limits of its own
        vertex.check(reachable.graph, reachable.settings)
        return None
    version = wanted(arguments.kfp) if arguments.kfp else None
    if version is None and (arguments.host or os.environ.get(ENDPOINT)):
        auth = config.kubeflow.auth if config.kubeflow else None
        version = fitting.version_of(connect(arguments, auth))
    return fitting.foreseen(reachable, version)
