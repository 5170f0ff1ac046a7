"""Arguments that several commands have, and what they stand for."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components.contract.errors import UserError
from pipelines.cli.output import CODES, print_remark
from pipelines.disk.names import absolute
from pipelines.engines import opening

if TYPE_CHECKING:
    from pipelines.config.configuration import Config
    from pipelines.config.kubeflow_auth import Auth
    from pipelines.engines.kubeflow.api.connection import Connection
    from pipelines.runs.records import Problem
    from pipelines.stores.store import Store

STORE = "./slimline-store"
"""Where a store is looked for that nobody names."""

LATEST = "latest"

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")


def add_command(
    commands: Any,
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int] | None,
    changes: str = "",
) -> argparse.ArgumentParser:
    """Add the parser of a command, or of an action of one.

    Args:
        commands: Where to, as ``add_subparsers`` returns it.
        name: What it is called.
        summary: What it does.
        run: Does it and returns the exit code; None where its actions do.
        changes: What it changes, as lines, where people have to know that before.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary}\n\n{changes}".strip(), epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=run)
    return parser


# a configuration --------------------------------------------------------------------------------


def config_arguments(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    """Add what says which configuration is meant; not needed: the command can do without one."""
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", nargs=None if needed else "?",
        help="a YAML file: slimline init",
    )  # fmt: skip
    parser.add_argument("--data", metavar="PLACE", help="instead of the data of the configuration")
    parser.add_argument("--store", metavar="PLACE", help="instead of the configuration's store")
    parser.add_argument(
        "--seed", type=int, metavar="N",
        help="instead of the configuration's seed: another split, other weights to begin with",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")


def without_argument(parser: argparse.ArgumentParser) -> None:
    """Add what leaves devices of a configuration out."""
    parser.add_argument(
        "--without", action="append", default=[], metavar="DEVICE",
        help="leave a device out, such as one that is not there; may be given several times",
    )  # fmt: skip


def load_config(arguments: argparse.Namespace) -> Config:
    """Load the configuration that ``config_arguments`` name, without what is to be left out.

    Raises:
        UserError: It cannot be read, or is not valid.
    """
    from pipelines.config.loading import load

    config = load(arguments.config).relocated(data=arguments.data, store=arguments.store)
    if without := getattr(arguments, "without", []):
        config = config.without(without)
    return config if arguments.seed is None else config.reseeded(arguments.seed)


# a store and its runs ---------------------------------------------------------------------------


def store_arguments(parser: argparse.ArgumentParser, *, as_json: bool = True) -> None:
    """Add what says which store is meant."""
    parser.add_argument("--store", metavar="PLACE", help=f"default: {STORE}")
    if as_json:
        parser.add_argument("--json", action="store_true", help="one JSON document, nothing else")


def open_existing(arguments: argparse.Namespace) -> Store:
    """Open the store that ``store_arguments`` name.

    Raises:
        UserError: There is none.
    """
    from pipelines.stores.opening import open_store

    uri = arguments.store or STORE
    check_folder(uri)
    return open_store(uri)


def check_folder(uri: str) -> None:
    """Refuse a store that nothing has been written into: its folder is not there.

    Raises:
        UserError: So it is.
    """
    if "://" not in uri and not _is_folder(absolute(uri)):
        raise UserError(f"there is no store {uri}", "name one that is there with --store PLACE")


def _is_folder(path: Path) -> bool:
    from pipelines.disk.files import disk_faults

    with disk_faults(path):
        return path.is_dir()


def run_id(arguments: argparse.Namespace) -> str | None:
    """Return the run that is meant, or None for the latest."""
    return None if arguments.run == LATEST else arguments.run


def file_or_sha256(text: str) -> tuple[str, Path | None]:
    """Return the sha256 of a file, and where it lies if that is what the text says, else None.

    Raises:
        UserError: There is no such file, and the text is no sha256.
    """
    from components.contract.digests import file_sha256
    from pipelines.disk.files import disk_faults

    path = Path(text)
    with disk_faults(path):
        if path.is_file():
            return file_sha256(path), path
    if found := _SHA256.fullmatch(text):
        return found[1].lower(), None
    raise UserError(
        f"{text} is no file here, and no sha256",
        "give the path of a file, or the 64 hexadecimal digits of its sha256",
    )


def print_problems(problems: Sequence[Problem]) -> None:
    """Name on standard error what is damaged in the store and was passed over."""
    for problem in problems:
        print_remark(f"WARNING: {problem.what}\nfix: {problem.fix}")


# a cluster --------------------------------------------------------------------------------------

_ENGINES_OF: Mapping[str, Sequence[str]] = {
    "host": opening.CLUSTERED,
    "cancel-on-interrupt": opening.CLUSTERED,
    **dict.fromkeys(
        ("namespace", "kfp", "token-command", "token-file", "cookie-command", "cookie-file"),
        ("kubeflow",),
    ),
    **dict.fromkeys(("project", "location"), ("vertex",)),
}
"""By option the engines that have it."""

_SENT: Mapping[Literal["token", "cookie"], str] = {
    "token": "a bearer token for it",
    "cookie": "the cookies of a session there, NAME=VALUE",
}


def place_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which cluster is meant."""
    parser.add_argument(
        "--host",
        metavar="URL",
        help="Kubeflow Pipelines; default: KF_PIPELINES_ENDPOINT; or another address of Vertex AI",
    )
    parser.add_argument("--namespace", metavar="NAME", help="yours, where there are several users")
    who = parser.add_mutually_exclusive_group()
    for what, sent in _SENT.items():
        who.add_argument(
            f"--{what}-command", metavar="COMMAND", help=f"in quotes; it prints {sent}"
        )
        who.add_argument(f"--{what}-file", metavar="FILE", help=f"it holds {sent}")


def project_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says whose jobs of Vertex AI are meant."""
    parser.add_argument("--project", metavar="NAME", help="of Google Cloud; for vertex alone")
    parser.add_argument("--location", metavar="REGION", help="its region; for vertex alone")


def check_place(arguments: argparse.Namespace) -> None:
    """Refuse what says which cluster is meant and is for another engine.

    Raises:
        UserError: An option is given that the engine does not have.
    """
    if arguments.engine not in opening.ENGINES:
        return  # whoever opens it says so
    for option, engines in _ENGINES_OF.items():
        given = getattr(arguments, option.replace("-", "_"), None)
        if given and arguments.engine not in engines:
            named = " or ".join(engines)
            raise UserError(
                f"--{option} is for the engine {named}, and the engine is {arguments.engine}",
                f"add --engine {named}, or leave --{option} out",
            )


def auth_of(arguments: argparse.Namespace) -> Auth | None:
    """Return what says who asks, as ``place_arguments`` name it; None where they do not.

    Raises:
        UserError: The command is empty, has a quote that does not end, or holds a token.
    """
    from pydantic import ValidationError

    from pipelines.config.faults import fault_of
    from pipelines.config.kubeflow_auth import Auth

    for sends in _SENT:
        if path := getattr(arguments, f"{sends}_file"):
            return Auth(file=str(Path(path).expanduser().absolute()), sends=sends)
        if (command := getattr(arguments, f"{sends}_command")) is not None:
            option = f"--{sends}-command"
            try:
                return Auth(command=_words(command, option), sends=sends)
            except ValidationError as error:
                _, what, fix = fault_of(error.errors()[0])
                raise UserError(f"{option}: {what.removeprefix('command: ')}", fix) from None
    return None


def _words(command: str, option: str) -> tuple[str, ...]:
    from pipelines.config.kubeflow_auth import EXAMPLE

    reason = ""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        words, reason = (), f": {error}"
    if not words:
        raise UserError(
            f"{option} {command!r} is no command{reason}",
            f"write it in quotes: {option} '{EXAMPLE}'",
        )
    return words


def cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says whose runs and schedules are meant, for commands that need a cluster."""
    parser.add_argument(
        "--engine", required=True, metavar="NAME", help=" or ".join(opening.CLUSTERED)
    )
    place_arguments(parser)
    project_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")


def connect(arguments: argparse.Namespace, auth: Auth | None = None) -> Connection:
    """Connect to the cluster that ``cluster_arguments`` name.

    Args:
        arguments: As parsed.
        auth: What says who asks, where the arguments do not: the configuration's.

    Raises:
        UserError: The engine has no cluster, or the cluster cannot be reached.
    """
    check_place(arguments)
    return opening.connect(
        arguments.engine, arguments.host, arguments.namespace, auth_of(arguments) or auth
    )
