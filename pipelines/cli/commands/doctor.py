"""``slimline doctor``: what this machine has and lacks."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.cli.arguments import STORE, add_command, store_arguments
from pipelines.cli.output import OK, USER_FAULT, print_json, print_text


def add(commands: Any) -> None:
    """Add the parser of the command."""
    store_arguments(add_command(commands, "doctor", "what this machine has and lacks", run))


def run(arguments: argparse.Namespace) -> int:
    """Look at this machine and return the exit code."""
    from pipelines.cli.machine_check import examine

    findings = examine(arguments.store or STORE)
    if arguments.json:
        print_json({"findings": [finding.to_json() for finding in findings]})
    else:
        for finding in findings:
            fix = f" -> {finding.fix}" if finding.fix else ""
            print_text(f"{finding.state:<5}  {finding.name:<9}  {finding.text}{fix}")
    return USER_FAULT if any(finding.state == "lacks" for finding in findings) else OK
