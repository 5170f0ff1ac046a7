"""Framing: a script for a shell elsewhere, between markers that show where its answer begins.

A login shell may be any shell, and its profile may print what it likes; a client that has lost its
device may exit with 0. So nothing counts but what stands between two markers that no other run
has, and an answer without its end marker is none.
"""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, field

from components.devices.remote.shell import ShellAnswer

# All that the login shell reads. It has no newline, no backslash and no quote within quotes, which
# shells such as fish and csh read in their own ways: the program follows on standard input.
_COMMAND = """sh -c 'read -r first; eval "$first"'"""

# Its first line fetches the rest, with nothing but what every shell has in it. `read` takes single
# bytes and so none of what follows the program; other readers read ahead.
_FIRST = (
    'newline=$(printf "\\n."); newline=${{newline%.}}; program=; '
    'while IFS= read -r line && [ "$line" != {nonce} ]; do program=$program$line$newline; done; '
    'eval "$program"\n'
)

# Faults are known by their English sentences.
# When a connection ends, adbd sends a hang-up and the next output a broken pipe: without the first
# line, the shell would die before the script has cleaned up. The parentheses keep `exit`, a syntax
# error and a signal from ending the shell that has yet to print the end marker.
_PROGRAM = """\
trap '' HUP PIPE
LC_ALL=C
export LC_ALL
printf 'B%s\\n' {nonce}
printf 'B%s\\n' {nonce} >&2
( set -- {arguments}; eval {script} )
slimline_code=$?
printf 'E%s\\n' {nonce} >&2
printf 'E%s %s\\n' {nonce} "$slimline_code"
"""


@dataclass(frozen=True)
class Frame:
    """A script, ready to be sent.

    Attributes:
        script: For a POSIX shell, with ``$1`` and so on.
        arguments: Those.
        nonce: In this run's markers. It stands in no command line, so that not even a list of all
            processes can look like a marker.
    """

    script: str
    arguments: tuple[str, ...] = ()
    nonce: str = field(default_factory=lambda: secrets.token_hex(12))

    @property
    def program(self) -> bytes:
        """What goes into standard input first, before the data of the script itself."""
        program = _PROGRAM.format(
            nonce=self.nonce,
            arguments=shlex.join(self.arguments),
            script=shlex.quote(self.script),
        )
        first = _FIRST.format(nonce=self.nonce)
        return f"{first}{program}{self.nonce}\n".encode("utf-8", "surrogateescape")

    @property
    def command(self) -> str:
        """The line for a login shell, whichever that is."""
        return _COMMAND

    def begun(self, out: bytes | bytearray) -> bool:
        """Say whether a shell there has begun to run the script."""
        return self._begin(out) is not None

    def ended(self, out: bytes | bytearray, start: int = 0) -> bool:
        """Say whether the end marker is in the standard output, at ``start`` or after it."""
        return self._end(out, start) is not None

    def answer(self, out: bytes | bytearray, err: bytes | bytearray) -> ShellAnswer | None:
        """Return what the script said, without what came before and after; None if unfinished.

        Args:
            out: All that came from standard output.
            err: The same of the errors; their markers may be missing, where a profile has closed
                or redirected them.
        """
        end = self._end(out, 0)
        begin = self._begin(out)
        if end is None or begin is None:
            return None
        return ShellAnswer(
            code=int(end[1]),
            out=bytes(out[begin : end.start()]),
            err=bytes(err[self._begin(err) or 0 : self._err_end(err)]),
        )

    def err_ended(self, err: bytes | bytearray, start: int = 0) -> bool:
        """Say whether the end marker is in the errors, at ``start`` or after it."""
        return err.find(f"E{self.nonce}\n".encode(), start) >= 0

    def without_markers(self, stream: bytes | bytearray) -> bytes:
        """Return all that came, but the lines with markers."""
        lines = bytes(stream).splitlines(keepends=True)
        return b"".join(line for line in lines if self.nonce.encode() not in line)

    @property
    def marker_size(self) -> int:
        """How many bytes an end marker may have."""
        return len(f"E{self.nonce} 255\n")

    def _begin(self, stream: bytes | bytearray) -> int | None:
        marker = f"B{self.nonce}\n".encode()
        at = stream.find(marker)
        return None if at < 0 else at + len(marker)

    def _end(self, out: bytes | bytearray, start: int) -> re.Match[bytes] | None:
        pattern = re.compile(rb"E%s (\d+)\n" % self.nonce.encode())
        return pattern.search(out, start)

    def _err_end(self, err: bytes | bytearray) -> int:
        at = err.find(f"E{self.nonce}\n".encode())
        return len(err) if at < 0 else at
