"""The command line. The only place where errors are caught, text is printed and codes returned.

Everything heavy is imported by the command that needs it, so that help is immediate.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
import sys
import warnings
from collections.abc import Generator, Sequence
from typing import TextIO

from components.contract.errors import UserError
from pipelines.cli import streams
from pipelines.cli.commands import (
    affected,
    cancel,
    data,
    devices,
    doctor,
    erase,
    explain,
    export,
    gc,
    images,
    index,
    init,
    lineage,
    logs,
    promote,
    releases,
    rollback,
    run,
    runs,
    schedule,
    serve,
    show,
    suggest,
    sync,
    tick,
    triggers,
    verify,
    watch,
    why_changed,
)
from pipelines.cli.commands import compile as compile_
from pipelines.cli.output import (
    BROKEN_PIPE,
    CANCELLED,
    CODES,
    OK,
    USER_FAULT,
    complain,
    print_json,
    print_remark,
)
from pipelines.disk.cache_folder import CacheWarning
from pipelines.disk.files import fault_of
from pipelines.disk.names import check_name
from pipelines.sources.erased import ErasedDataWarning

_COMMANDS = (
    run, explain, compile_, show, data, export, runs, logs, cancel, lineage, affected, why_changed,
    verify, releases, promote, rollback, gc, erase, index, init, suggest, doctor, devices, sync,
    schedule, watch, triggers, tick, serve, images,
)  # fmt: skip
"""In the order in which help lists them."""

_EMPTY = re.compile(r"(--[a-z-]+=)?")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    A stream that takes no more never ends a command. When nobody reads any more, a command that
    otherwise did well says so with the code of a closed pipe.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    with streams.patient_streams() as (out, error), _cache_told():
        try:
            code = _answer(given)
        except SystemExit as ended:  # after help and usage
            code = ended.code if isinstance(ended.code, int) else OK
        out.flush()
        error.flush()
        if out.lost and not streams.is_closed_pipe(out.lost):
            complain(
                f"standard output cannot be written: {out.lost.strerror}",
                "make room where it goes, or send it elsewhere",
            )
            code = code or USER_FAULT
        elif any(streams.is_closed_pipe(stream.lost) for stream in (out, error)):
            code = code or BROKEN_PIPE
    return code


def _answer(given: Sequence[str]) -> int:
    arguments = parser().parse_args(given, argparse.Namespace(given=given))
    as_json = getattr(arguments, "json", False)
    try:
        _check_words(given)
        return arguments.command(arguments)
    except UserError as error:
        return _refuse(error, as_json=as_json)
    except OSError as error:
        # What the machine lacks may come up anywhere; a missing file of ours would be a bug.
        fault = fault_of(error)
        if fault is None:
            raise
        return _refuse(fault, as_json=as_json)
    except KeyboardInterrupt:
        return CANCELLED


def _refuse(error: UserError, *, as_json: bool) -> int:
    if as_json:
        print_json({"error": {"what": error.what, "fix": error.fix}})
    complain(error.what, error.fix)
    return USER_FAULT


@contextlib.contextmanager
def _cache_told() -> Generator[None]:
    """Print once what keeps this machine's cache from being used, and what the data still holds."""

    def told(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, (CacheWarning, ErasedDataWarning)):
            print_remark(f"warning: {message}")
        else:
            before(message, category, filename, lineno, file, line)

    before = warnings.showwarning
    with warnings.catch_warnings():
        for kind in (CacheWarning, ErasedDataWarning):
            warnings.simplefilter("once", kind)
        warnings.showwarning = told
        yield


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


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it parses has ``command``, which runs one."""
    from pipelines import __version__

    made = argparse.ArgumentParser(
        prog="slimline",
        description="Make a large Keras model fit a phone: a measured tree of variants, a budget, "
        "a verifiable winner.",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"slimline {__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return made
