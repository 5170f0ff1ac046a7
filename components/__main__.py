"""The entry point of every image: ``python -m components NAME ...``."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from components import COMPONENTS
from components.contract.errors import UserError
from components.contract.execution import EXIT_LINE, USER_FAULT, execute
from components.contract.executor_input import Call, parse_executor_input
from components.contract.interface import Interface, interface_of
from components.contract.results import ResultForm

_EXECUTOR_INPUT = "--executor-input"


def main(argv: list[str]) -> int:
    """Run one component and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m components")
    parser.add_argument("name", choices=COMPONENTS)
    arguments = parser.parse_args(argv[:1])
    # Our own progress only: the frameworks' loggers are theirs.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.getLogger("components").addHandler(handler)
    logging.getLogger("components").setLevel(logging.INFO)
    try:
        code = execute(_call(interface_of(arguments.name), argv[1:]))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        code = USER_FAULT
    if _EXECUTOR_INPUT in argv:  # an engine's call, not a person's
        sys.stdout.flush()
        sys.stderr.write(f"{EXIT_LINE.format(code)}\n")
    return code


def _call(interface: Interface, argv: list[str]) -> Call:
    """Read ``--executor-input``, or the flags for people that the signature yields."""
    parser = argparse.ArgumentParser(
        prog=f"python -m components {interface.name}", description=interface.summary
    )
    parser.add_argument(_EXECUTOR_INPUT, metavar="@FILE|JSON")
    parser.add_argument("--gpu", metavar="DEVICE", help="train on this GPU: 0, or GPU-...")
    parser.add_argument(
        "--result", help="the output of the executor input that is a folder for all others"
    )
    parser.add_argument(
        "--beside", nargs="+", default=[], help="outputs that are artifacts beside that folder"
    )
    for port in interface.inputs:
        parser.add_argument(
            _flag(port.name),
            type=Path,
            nargs="*" if port.many else None,
            help=_help(port.help, f"{port.kind} in"),
        )
    for port in interface.outputs:
        parser.add_argument(_flag(port.name), type=Path, help=_help(port.help, f"{port.kind} out"))
    for parameter in interface.parameters:
        default = "required" if parameter.required else f"default {parameter.default}"
        parser.add_argument(
            _flag(parameter.name), default=argparse.SUPPRESS, help=_help(parameter.help, default)
        )
    known, rest = parser.parse_known_args(argv)
    given = vars(known)
    for flag in rest:
        if flag.startswith("--"):
            raise UserError(*interface.unknown(_name(flag), also=tuple(given)))
        parser.error(f"{flag!r} belongs to no flag")
    gpu, result, beside = given.pop("gpu"), given.pop("result"), tuple(given.pop("beside"))
    if text := given.pop("executor_input"):
        form = ResultForm(result, beside) if result else None
        return replace(parse_executor_input(interface.name, text, form), gpu=gpu)
    if result or beside:
        raise UserError("--result and --beside say what an executor input means", "leave them out")
    ports = (*interface.inputs, *interface.outputs)
    paths: dict[str, Any] = {port.name: given.pop(port.name) for port in ports}
    for port in ports:
        if paths[port.name] is None and not port.optional and not port.many:
            raise UserError(
                f"{interface.name} needs {_flag(port.name)}", f"give the path of a {port.kind}"
            )
    return Call(
        interface=interface,
        inputs={
            port.name: paths[port.name] or ([] if port.many else None) for port in interface.inputs
        },
        input_digests={},
        input_uris={},
        outputs={port.name: paths[port.name] for port in interface.outputs},
        output_uris={},
        statement=None,
        parameters=interface.complete(
            {name: yaml.safe_load(value) for name, value in given.items()},
            where=interface.name,
            strict=False,
        ),
        output_file=None,
        gpu=gpu,
    )


def _help(text: str, facts: str) -> str:
    """Return what argparse prints, which takes a percent sign for the start of a name."""
    return f"{text.rstrip('.')} ({facts})".replace("%", "%%")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _name(flag: str) -> str:
    return flag.removeprefix("--").partition("=")[0].replace("-", "_")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
