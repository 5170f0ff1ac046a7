"""Pushing: a file goes through any shell, whole or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path

from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.shell import Shell

_LEAST_S = 60.0
_SLOWEST_BYTES_PER_S = 250_000

# A connection that breaks looks like the end of the file from there: hence the size. An own name
# for each part: two that push the same file at once would write into each other's.
_SCRIPT = """\
part=$1.part-$3
mkdir -p "${1%/*}" && cat >"$part" && [ "$(wc -c <"$part")" -eq "$2" ] && mv -f "$part" "$1" && exit
rm -f "$part"
df -k "${1%/*}" 2>/dev/null
exit 1
"""


def push(shell: Shell, local: Path, remote: str, name: str) -> None:
    """Bring a file to a device; folders above it are made.

    Args:
        shell: Of the device.
        local: The file.
        remote: Its path there, absolute.
        name: Of the device, for the sentence if it fails.

    Raises:
        LostError: The device went away.
        UserError: There is no room, or no permission.
    """
    data = local.read_bytes()
    limit_s = _LEAST_S + len(data) / _SLOWEST_BYTES_PER_S
    random = secrets.token_hex(6)
    answer = shell.run(_SCRIPT, remote, str(len(data)), random, data=data, limit_s=limit_s)
    if answer.code == 0:
        return
    folder = remote.rpartition("/")[0] or "/"
    said = answer.err.decode(errors="replace").strip()
    if not said:
        raise LostError(f"{name} went away while {local.name} was on its way there")
    if "space left" in said or "uota exceeded" in said:
        free = free_mb(answer.out.decode(errors="replace"))
        raise UserError(
            f"{name} has no room for {local.name} in {folder}: "
            f"{'little' if free is None else f'{free} MB'} free, {_mb(len(data))} MB needed",
            f"free it there, or set `dir` of {name} to a folder with room",
        )
    raise UserError(
        f"{name} does not let us write into {folder}: {said.splitlines()[0]}",
        f"set `dir` of {name} to a folder that its user may write into",
    )


def free_mb(df: str) -> int | None:
    """Return the free megabytes of what ``df -k FOLDER`` printed; None where it says none."""
    words = " ".join(df.splitlines()[1:]).split()  # a long name of a disk has a line of its own
    percents = [place for place, word in enumerate(words) if word.endswith("%")]
    if not percents or not words[percents[0] - 1].isdecimal():
        return None
    return int(words[percents[0] - 1]) * 1024 // 1_000_000


def _mb(size_bytes: int) -> int:
    return max(-(-size_bytes // 1_000_000), 1)
