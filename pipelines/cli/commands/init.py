"""``slimline init``: a commented configuration to edit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import add_command
from pipelines.cli.output import OK, print_text


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = add_command(commands, "init", "write a commented configuration to edit", run)
    parser.add_argument("file", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Write the configuration and return the exit code."""
    from pipelines.config.template import write

    write(arguments.file)
    print_text(f"wrote {arguments.file}; edit it, then: slimline run {arguments.file}")
    return OK
