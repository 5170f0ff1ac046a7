"""``slimline suggest``: a configuration with variants for its task, teacher, budgets and time."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import add_command
from pipelines.cli.output import OK, print_remark, print_text


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "write a tree of variants for a configuration's task, teacher, budgets and time"
    parser = add_command(commands, "suggest", summary, run)
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="a YAML file; it may do without variants"
    )
    parser.add_argument(
        "--minutes", type=float, metavar="N", help="for the whole run (default: 60)"
    )
    parser.add_argument("--images", type=int, metavar="N", help="that train (default: 5000)")
    parser.add_argument(
        "--classes", type=int, metavar="N", help="that there are (classification; default: 10)"
    )
    parser.add_argument("--download", action="store_true", help="the compressed file counts, too")
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="a new file beside CONFIG"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print or write the configuration and return the exit code."""
    from pipelines.launch.suggesting import put_beside, suggest

    given: dict[str, object] = {
        key: value
        for key, value in (
            ("minutes", arguments.minutes),
            ("images", arguments.images),
            ("classes", arguments.classes),
            ("download", arguments.download or None),
        )
        if value is not None
    }
    text, suggestion = suggest(arguments.config, given)
    if arguments.output is None:
        print_text(text.removesuffix("\n"))
        return OK
    put_beside(text, arguments.config, arguments.output)
    count = len(suggestion.variants)
    target = shlex.quote(str(arguments.output))
    print_text(f"wrote {arguments.output} with {count} variants; then: slimline run {target}")
    if suggestion.left_out:
        print_remark(f"no time is left for {', '.join(suggestion.left_out)}: give more --minutes")
    return OK
