"""Standard streams that the caller closed, that take no more, or whose encoding lacks a letter."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TextIO

_STANDARD_ERROR = 2


@dataclass
class Patient:
    """A stream that takes any text and never ends what writes to it.

    A run of hours does not fail because whoever reads its output has had enough, or because the
    disk that a log goes to is full. From the first failure on, the stream discards.

    Attributes:
        stream: The real one.
        lost: Why it could not be written, or None.
    """

    stream: TextIO
    lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, or discard it."""
        with self._losing():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or discard it."""
        with self._losing():
            self.stream.flush()

    @contextlib.contextmanager
    def _losing(self) -> Generator[None]:
        if self.lost:
            with contextlib.suppress(OSError):
                yield
            return
        try:
            yield
        except OSError as error:
            self.lost = error
            # What is left in the buffer goes nowhere: the interpreter flushes when it exits.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def __getattr__(self, name: str) -> Any:
        """Be the real stream in everything else."""
        return getattr(self.stream, name)


@contextlib.contextmanager
def patient_streams() -> Generator[tuple[Patient, Patient]]:
    """Make standard output and standard error patient, and give them back.

    Streams that the caller closed are opened first. Otherwise the next files that are opened, those
    of a store too, would get their numbers and what is printed.
    """
    with contextlib.suppress(OSError):  # then those that are open still serve
        while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
            pass
        os.close(opened)
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Nobody may read them, but print and rich expect a stream.
    out, error = (Patient(stream or open(os.devnull, "w")) for stream in before)  # noqa: PTH123, SIM115
    sys.stdout, sys.stderr = out, error  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield out, error
    finally:
        sys.stdout, sys.stderr = before


def is_closed_pipe(lost: OSError | None) -> bool:
    """Whether a stream was lost because nobody reads it any more."""
    return lost is not None and lost.errno == errno.EPIPE
