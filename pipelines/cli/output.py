"""What the command line answers: exit codes, JSON documents, tables, and complaints with a fix.

The only module that prints: a test sees to it, so that nothing from outside reaches a terminal as
it came.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from pipelines.disk.visible import visible

if TYPE_CHECKING:
    from rich.console import RenderableType

OK, BUG, USER_FAULT, NO_WINNER, ANSWER_NO, CANCELLED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141

CODES = """\
exit codes: 0 done; 1 a bug of slimline; 2 something given cannot be used; 3 nothing keeps to the
budgets; 4 the answer is no: verify or releases found what is not as it was written, promote's gate
did not say yes, or affected --check found a champion, or one that nobody can tell of; 130
cancelled; 141 done, but nobody read the output to its end"""

_PLAIN_COLUMNS = 200


def print_table(renderable: RenderableType) -> None:
    """Print what a person reads."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(renderable)
    else:  # nobody sees where a line would have to break
        Console(width=_PLAIN_COLUMNS).print(renderable, soft_wrap=True)


def print_text(text: str) -> None:
    """Print a line, or several, of a command's answer."""
    sys.stdout.write(f"{visible(text)}\n")


def print_log(text: str) -> None:
    """Print what a step printed; tabs stay."""
    sys.stdout.write(visible(text, keep="\n\t"))
    sys.stdout.flush()


def print_remark(text: str) -> None:
    """Print on standard error what is no part of the answer."""
    sys.stderr.write(f"{visible(text)}\n")


def print_json(document: dict[str, Any]) -> None:
    """Print a document for programs, in ASCII: the encoding of standard output may be any."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def complain(what: str, fix: str) -> None:
    """Say on standard error what is amiss and what to do about it."""
    print_remark(f"error: {what}\nfix: {fix}")
