"""Standard streams that the caller closed, that take no more, or whose encoding lacks a letter."""

from __future__ import annotations

import io
import os
import sys

_STANDARD_ERROR = 2


def open_missing_streams() -> None:
    """Open the standard streams that the caller closed, and let all of them take any text.

    Otherwise the next files that are opened, those of a store too, would get their numbers and
    what is printed.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(opened)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def output_fails() -> bool:
    """Whether standard output, and not a file, is what cannot be written: it takes no more."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        return True
    return False


def discard_output() -> None:
    """Discard what is left to print: the interpreter flushes once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
