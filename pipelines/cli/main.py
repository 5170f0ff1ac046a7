"""The command line. The only place where errors are caught, text is printed and codes returned.

Everything heavy is imported by the command that needs it, so that help is immediate.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli import streams
from pipelines.disk.names import absolute, check_name

if TYPE_CHECKING:
    from rich.console import RenderableType

    from components.contract.interface import Image
    from pipelines.config.loading import Config
    from pipelines.launch.launching import Launched
    from pipelines.runs.leaderboard import Leaderboard
    from pipelines.stores.store import Store

OK, BUG, USER_FAULT, NO_WINNER, CANCELLED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141

_STORE = "./slimline-store"
_LATEST = "latest"
_PLAIN_COLUMNS = 200
_EMPTY = re.compile(r"(--[a-z-]+=)?")
_CODES = """\
exit codes: 0 done; 1 a bug of slimline; 2 something given cannot be used; 3 nothing keeps to the
budgets; 130 cancelled"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    streams.have_streams()
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _answer(given)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has had enough
        streams.give_up_output()
        return BROKEN_PIPE
    except OSError as error:
        if not streams.output_fails():
            raise
        streams.give_up_output()
        _complain(
            f"standard output cannot be written: {error.strerror}",
            "make room where it goes, or send it elsewhere",
        )
        return USER_FAULT
    return code


def _answer(given: Sequence[str]) -> int:
    try:
        arguments = _parser().parse_args(given, argparse.Namespace(given=given))
    except SystemExit:  # after help and usage
        sys.stdout.flush()
        raise
    as_json = getattr(arguments, "json", False)
    try:
        _check_words(given)
        return arguments.command(arguments)
    except UserError as error:
        if as_json:
            _print_json({"error": {"what": error.what, "fix": error.fix}})
        _complain(error.what, error.fix)
        return USER_FAULT
    except KeyboardInterrupt:
        return CANCELLED


def _check_words(words: Sequence[str]) -> None:
    """Refuse what no argument can be, whatever it is for.

    Raises:
        UserError: An empty word, as a variable that is not set leaves it, or no printable text.
    """
    for word in words:
        if _EMPTY.fullmatch(word):
            raise UserError(
                f"an argument is empty: {shlex.join(words)}", "give a value, or leave it out"
            )
        check_name(word)


def _parser() -> argparse.ArgumentParser:
    from pipelines import __version__
    from pipelines.cli.commands import cluster_tmp

    parser = argparse.ArgumentParser(
        prog="slimline",
        description="Make a large Keras model fit a phone: a measured tree of variants, a budget, "
        "a verifiable winner.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"slimline {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _command(commands, "run", _run, "run a configuration from its data to the release")
    _config_arguments(run)
    run.add_argument("--engine", default="local", help="local, docker or kubeflow (default: local)")
    run.add_argument(
        "--remeasure", action="store_true", help="measure again what was disturbed the last time"
    )
    run.add_argument(
        "--output", type=Path, metavar="DIR",
        help="where release and report are laid (default: slimline-out/NAME)",
    )  # fmt: skip
    cluster_tmp.add_place(run)
    run.add_argument(
        "--cancel-on-interrupt", action="store_true",
        help="Ctrl-C also ends the run in the cluster, which otherwise goes on",
    )  # fmt: skip

    explain = _command(commands, "explain", _explain, "say what would run, what is cached, and why")
    _config_arguments(explain)

    compiling = _command(
        commands, "compile", _compile, "write the graph as a pipeline of Kubeflow Pipelines"
    )
    _config_arguments(compiling)
    compiling.add_argument(
        "--output", "-o", type=Path, metavar="FILE", required=True, help="such as pipeline.yaml"
    )
    compiling.add_argument(
        "--target", choices=("kubeflow", "vertex"), default="kubeflow",
        help="vertex: what Vertex AI Pipelines takes, without what is for Kubernetes alone",
    )  # fmt: skip
    compiling.add_argument(
        "--stage", action="store_true", help="also lay the data where the pipeline imports it from"
    )

    tables = _command(commands, "show", _show, "the leaderboard of a run: winner, reasons, Pareto")
    tables.add_argument(
        "run", nargs="?", default=_LATEST, metavar="RUN", help="default: the latest"
    )
    _store_arguments(tables)

    _store_arguments(_command(commands, "runs", _runs, "list all runs of a store"))

    logs = _command(commands, "logs", _logs, "print what a step printed")
    logs.add_argument("run", metavar="RUN", help="a run, or: latest")
    logs.add_argument("step", metavar="STEP", help="as explain lists it")
    _store_arguments(logs, as_json=False)

    init = _command(commands, "init", _init, "write a commented configuration to edit")
    init.add_argument("file", type=Path, metavar="FILE")

    _store_arguments(_command(commands, "doctor", _doctor, "what this machine has and lacks"))
    cluster_tmp.add(commands, _command)
    _images_arguments(_command(commands, "images", None, "build, push and list the images"))
    return parser


def _images_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = _command(actions, "build", _images_build, "build the images of the code at hand")
    build.add_argument("names", nargs="*", metavar="IMAGE", help="train, device, light; none: all")
    build.add_argument("--base", metavar="NAME", help="base image with Python 3.11 and pip")
    build.add_argument("--network", metavar="NAME", help="Docker network of the build")
    build.add_argument("--ca-bundle", type=Path, metavar="FILE", help="extra certificates for pip")
    push = _command(actions, "push", _images_push, "push the built images to a registry")
    push.add_argument("registry", metavar="REGISTRY", help="such as europe-docker.pkg.dev/me/mine")
    push.add_argument("names", nargs="*", metavar="IMAGE", help="train, device, light; none: all")
    _command(actions, "list", _images_list, "say which images of the code at hand are there")


def _command(commands: Any, name: str, function: Any, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary, epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=function)
    return parser


def _config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file: slimline init")
    parser.add_argument("--data", metavar="PLACE", help="instead of the data of the configuration")
    parser.add_argument("--store", metavar="PLACE", help="instead of the configuration's store")
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")


def _store_arguments(parser: argparse.ArgumentParser, *, as_json: bool = True) -> None:
    parser.add_argument("--store", metavar="PLACE", help=f"default: {_STORE}")
    if as_json:
        parser.add_argument("--json", action="store_true", help="one JSON document, nothing else")


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from pipelines.cli.commands import cluster_tmp
    from pipelines.cli.live import LiveView
    from pipelines.compress import graph_of
    from pipelines.launch.launching import launch

    config = _config(arguments)
    names = [step.name for step in graph_of(config).steps]
    with LiveView(Console(stderr=True), names) as view:
        launched = launch(
            config,
            engine=arguments.engine,
            output=arguments.output,
            remeasure=arguments.remeasure,
            cluster=cluster_tmp.cluster(arguments),
            on_event=view.on_event,
        )
    board = _board(_open(config.store), launched.run, launched.exported)
    if arguments.json:
        _print_json(board.to_json())
    else:
        _print(_leaderboard(board))
    return _verdict(arguments, config.store, launched, board)


def _verdict(
    arguments: argparse.Namespace, store: str, launched: Launched, board: Leaderboard
) -> int:
    """Say what to do next where a run did not end well, and return the exit code."""
    again = f"slimline {shlex.join(arguments.given)}"
    if launched.outcome == "running":
        from pipelines.cli.commands.cluster_tmp import sync_command

        sys.stderr.write(f"the run goes on in the cluster: {launched.page}\n")
        sys.stderr.write(f"when it has ended: {sync_command(arguments, store)}\n")
        return CANCELLED
    if launched.outcome == "cancelled":
        sys.stderr.write(f"cancelled; what is done is kept, go on with: {again}\n")
        return CANCELLED
    if launched.outcome == "failed":
        for failure in board.failures:
            _complain(failure.what, failure.fix)
            log = shlex.join(["slimline", "logs", board.run, failure.step, "--store", store])
            sys.stderr.write(f"log: {log}\n")
        sys.stderr.write(f"then, with all finished steps kept: {again}\n")
        return USER_FAULT if all(failure.user_fault for failure in board.failures) else BUG
    if any(row.variant.verdict == "undecided" for row in board.variants):
        sys.stderr.write(f"when the machine is quiet: {again} --remeasure\n")
    return OK if board.winner else NO_WINNER


def _explain(arguments: argparse.Namespace) -> int:
    from pipelines.cli import tables
    from pipelines.launch.launching import explain

    config = _config(arguments)
    explained = explain(config)
    if arguments.json:
        steps = [tables.explained_step(item) for item in explained]
        _print_json(asdict(tables.Explained(config.name, config.digest, steps)))
    else:
        _print(tables.explanation(explained))
    return OK


def _compile(arguments: argparse.Namespace) -> int:
    from pipelines.compress import graph_of
    from pipelines.engines.kubeflow import preflight
    from pipelines.engines.kubeflow.image_digests import references
    from pipelines.engines.kubeflow.ir import compiling, vertex
    from pipelines.launch.launching import snapshots

    config = _config(arguments)
    graph = graph_of(config)
    settings = preflight.check(config, graph)
    if arguments.target == "vertex":
        vertex.check(graph, settings)
    building = references(settings)
    sources = snapshots(graph)
    digests = {name: source.digest for name, source in sources.items()}
    made = compiling.compiled(config, graph, digests, building)
    if arguments.stage:
        from pipelines.engines.kubeflow.pipeline_root import stage_all

        stage_all(sources, made.sources)
    text = made.pipeline if arguments.target == "vertex" else made.text
    compiling.write(text, arguments.output)
    if arguments.json:
        _print_json(
            {
                "pipeline": made.name,
                "file": str(arguments.output),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "steps": [step.name for step in graph.ordered],
                "sources": dict(made.sources),
            }
        )
    else:
        steps = f"{len(graph.steps)} steps"
        sys.stdout.write(f"wrote {arguments.output}: pipeline {made.name}, {steps}\n")
    return OK


def _show(arguments: argparse.Namespace) -> int:
    board = _board(_open_existing(arguments), _run_id(arguments), None)
    if arguments.json:
        _print_json(board.to_json())
    else:
        _print(_leaderboard(board))
    return OK


def _runs(arguments: argparse.Namespace) -> int:
    from pipelines.cli import tables
    from pipelines.runs.records import list_runs

    records = list_runs(_open_existing(arguments))
    if arguments.json:
        _print_json({"runs": [asdict(tables.listed_run(record)) for record in records]})
    else:
        _print(tables.runs(records))
    return OK


def _logs(arguments: argparse.Namespace) -> int:
    from pipelines.runs.records import read_log

    sys.stdout.write(read_log(_open_existing(arguments), _run_id(arguments), arguments.step))
    sys.stdout.flush()
    return OK


def _init(arguments: argparse.Namespace) -> int:
    from pipelines.config.template import write

    write(arguments.file)
    sys.stdout.write(f"wrote {arguments.file}; edit it, then: slimline run {arguments.file}\n")
    return OK


def _doctor(arguments: argparse.Namespace) -> int:
    from pipelines.cli.commands.doctor import examine

    findings = examine(arguments.store or _STORE)
    if arguments.json:
        _print_json({"findings": [finding.to_json() for finding in findings]})
    else:
        for finding in findings:
            fix = f" -> {finding.fix}" if finding.fix else ""
            sys.stdout.write(f"{finding.state:<5}  {finding.name:<9}  {finding.text}{fix}\n")
    return USER_FAULT if any(finding.state == "lacks" for finding in findings) else OK


def _config(arguments: argparse.Namespace) -> Config:
    from pipelines.config.loading import load

    return load(arguments.config).relocated(data=arguments.data, store=arguments.store)


def _open(uri: str) -> Store:
    from pipelines.stores.store import open_store

    return open_store(uri)


def _is_folder(path: Path) -> bool:
    from pipelines.disk.files import disk_faults

    with disk_faults(path):
        return path.is_dir()


def _open_existing(arguments: argparse.Namespace) -> Store:
    uri = arguments.store or _STORE
    if "://" not in uri and not _is_folder(absolute(uri)):
        raise UserError(f"there is no store {uri}", "name the one of the run with --store PLACE")
    return _open(uri)


def _image_names(arguments: argparse.Namespace) -> list[Image]:
    from components.contract.errors import suggest
    from pipelines.images.building import IMAGES

    for name in arguments.names:
        if name not in IMAGES:
            raise UserError(f"there is no image {name!r}", suggest(name, IMAGES))
    return [image for image in IMAGES if not arguments.names or image in arguments.names]


def _images_build(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.markup import escape

    from pipelines.images import building
    from pipelines.images.daemon import connect, daemon_faults

    names, client = _image_names(arguments), connect()
    for name in names:
        tag = building.image_name(name)
        with (
            daemon_faults(f"{tag} cannot be built"),
            Console(stderr=True).status(f"building {tag}") as status,
        ):
            for line in building.build(
                client,
                name,
                base=arguments.base or building.BASE_IMAGE,
                network=arguments.network,
                ca_bundle=arguments.ca_bundle,
            ):
                status.update(escape(f"{tag}: {line.splitlines()[-1][:100]}"))
            built = building.find(client, name)
        sys.stdout.write(f"{built.name}  {built.size_bytes / 1e6:,.0f} MB  {built.digest}\n")
    return OK


def _images_push(arguments: argparse.Namespace) -> int:
    from pipelines.images import building
    from pipelines.images.daemon import connect, daemon_faults

    names, registry = _image_names(arguments), building.check_registry(arguments.registry)
    client = connect()
    for name in names:
        with daemon_faults(f"{building.image_name(name)} cannot be pushed to {registry}"):
            pushed = building.push(client, name, registry)
        sys.stdout.write(f"{pushed}\n")
    return OK


def _images_list(_arguments: argparse.Namespace) -> int:
    from pipelines.images import building
    from pipelines.images.daemon import connect, daemon_faults

    client, missing = connect(), 0
    with daemon_faults("the images cannot be listed"):
        for name in building.IMAGES:
            try:
                built = building.find(client, name)
            except UserError as error:
                missing += 1
                sys.stdout.write(f"{building.image_name(name)}  missing: {error.what}\n")
            else:
                size_mb = f"{built.size_bytes / 1e6:,.0f} MB"
                sys.stdout.write(f"{built.name}  {size_mb}  {built.digest}\n")
    if missing:
        _complain(
            f"{missing} of {len(building.IMAGES)} images are missing", "slimline images build"
        )
    return USER_FAULT if missing else OK


def _run_id(arguments: argparse.Namespace) -> str | None:
    return None if arguments.run == _LATEST else arguments.run


def _board(store: Store, run: str | None, exported: Path | None) -> Leaderboard:
    from pipelines.runs.cache import Cache
    from pipelines.runs.leaderboard import leaderboard_of
    from pipelines.runs.records import read_run
    from pipelines.runs.workspace import workspace_root

    record = read_run(store, run)
    cache = Cache(store, workspace_root(store))
    return leaderboard_of(cache, record, str(exported) if exported else None)


def _leaderboard(board: Leaderboard) -> RenderableType:
    from pipelines.cli import tables

    return tables.leaderboard(board)


def _print(renderable: RenderableType) -> None:
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(renderable)
    else:  # nobody sees where a line would have to break
        Console(width=_PLAIN_COLUMNS).print(renderable, soft_wrap=True)


def _print_json(document: dict[str, Any]) -> None:
    # In ASCII: the encoding of standard output may be any.
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def _complain(what: str, fix: str) -> None:
    sys.stderr.write(f"error: {what}\nfix: {fix}\n")


if __name__ == "__main__":
    sys.exit(main())
