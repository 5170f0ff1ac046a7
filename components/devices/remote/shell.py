"""Shell: a way to run scripts on a device and to bring files there; ssh and adb are such ways."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ShellAnswer:
    """What a script answered.

    Attributes:
        code: Exit code of the script; 128 and a signal's number where one ended it.
        out: What it printed.
        err: What it printed as errors.
    """

    code: int
    out: bytes
    err: bytes


class Shell(Protocol):
    """A POSIX shell elsewhere; nothing on the other side is needed but that."""

    def run(
        self,
        script: str,
        *args: str,
        data: bytes | None = None,
        hold: bool = False,
        limit_s: float = 60.0,
    ) -> ShellAnswer:
        """Run a script, and return its answer when its end marker has come.

        Args:
            script: For ``/bin/sh``, with ``$1`` and so on.
            *args: Its arguments, any text.
            data: Its standard input.
            hold: Keep standard input open as long as it runs: a script that watches it ends with
                the connection or with the process that holds it.
            limit_s: How long to wait for an answer.

        Raises:
            LostError: No end marker came: the connection is gone, or nobody answers in time.
            UserError: It cannot be reached at all; says why, and the fix.
        """
        ...

    def push(self, local: Path, remote: str) -> None:
        """Bring a file there, whole or not at all.

        Raises:
            LostError: The connection is gone.
            UserError: There is no room, or no permission; says what to set.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...
