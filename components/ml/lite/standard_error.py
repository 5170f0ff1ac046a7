"""Standard error: what libraries in other languages write there, and say nowhere else."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Heard:
    """What was written on standard error.

    Attributes:
        text: All of it, once the block has ended.
    """

    text: str = ""


@contextmanager
def heard() -> Generator[Heard]:
    """Keep what a block writes on standard error, by whatever library, in place of showing it."""
    told = Heard()
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield told
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            told.text = file.read().decode(errors="replace")
