"""Unpacking: a bundle comes to a device by its shell alone, whole or not at all, and is checked.

Besides ``sh``, that needs ``df``, ``find``, ``gunzip``, ``sha256sum`` and ``tar``, which phones and
small boards have in one program (toybox, busybox).
"""

from __future__ import annotations

import secrets
import signal
import time

from components.contract.errors import UserError
from components.devices.device import Installed
from components.devices.remote.bundle.root import SUMS
from components.devices.remote.looking import Sight
from components.devices.remote.pushing import free_mb
from components.devices.remote.shell import Shell, ShellAnswer
from components.devices.remote.wheels import SiteArchive

_LIMIT_S = 300.0
_ABSENT, _DAMAGED, _UNPACKED_NOT, _CHANGED, _LOADED_NOT = 90, 91, 92, 93, 94
_SIGNALLED = 128
_FORBIDDEN = 126  # of a program that may not be run

# Every look checks every file: what lies on a device may have been damaged, and a library of which
# a byte is another may load all the same. The trial import is that of a probe.
_CHECK = f"""\
check() {{
    sums=$(cd "$1" && sha256sum -c {SUMS}) || {{ printf '%s\\n' "$sums"; return {_CHANGED}; }}
    env -i PYTHONPATH="$1/site" PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 \\
        "$2" "$1/python" -S -s -c 'import ai_edge_litert.interpreter' </dev/null && return
    printf '%s\\n' "$?"
    return {_LOADED_NOT}
}}
"""
# What a run has left behind that was cut off is a day or two old, by how this `find` counts days;
# toybox takes +0 for any file that is not of this second.
_LOOKING = f"""\
{_CHECK}
folder=${{1%/*}}
[ -d "$1" ] && {{ check "$1" "$2"; exit; }}
mkdir -p "$folder" || exit {_UNPACKED_NOT}
find "$folder" -maxdepth 1 \\( -name 'run-*' -o -name '*.part-*' \\) -mtime +1 -exec rm -rf {{}} \\;
df -k "$folder"
exit {_ABSENT}
"""
# Of two that unpack the same at once one is faster; then `mv` moves the other's folder into it.
_UNPACKING = f"""\
{_CHECK}
archive=$3 sha256=$4 part=$1.part-$5
clean() {{ rm -rf "$part" "$archive" "$1/${{part##*/}}"; }}
told=$(sha256sum <"$archive")
[ "${{told%% *}}" = "$sha256" ] || {{ clean "$1"; exit {_DAMAGED}; }}
mkdir "$part" && (cd "$part" && gunzip -c "$archive" | tar -xof -) ||
    {{ clean "$1"; exit {_UNPACKED_NOT}; }}
rm -f "$archive"
check "$part" "$2"
code=$?
[ $code -ne 0 ] || [ -d "$1" ] || mv "$part" "$1" || code={_UNPACKED_NOT}
clean "$1"
exit $code
"""


def install_bundle(
    shell: Shell, name: str, sight: Sight, archive: SiteArchive, runtime: str
) -> Installed:
    """Bring a bundle to a device and unpack it there, unless that has been done; check it.

    Args:
        shell: Of the device.
        name: Of it.
        sight: What a look has found.
        archive: The bundle.
        runtime: Version of the runtime in it.

    Raises:
        UserError: There is no room, or the runtime cannot be loaded there.
        LostError: The device went away.
    """
    start = time.monotonic()
    root = f"{sight.folder}/{archive.site}"
    answer = shell.run(_LOOKING, root, sight.shell, limit_s=_LIMIT_S)
    sent_bytes = 0
    if answer.code == _ABSENT:
        sent_bytes = archive.path.stat().st_size
        _check_room(answer, name, sight.folder, archive.unpacked_bytes, sent_bytes)
        random = secrets.token_hex(6)
        remote = f"{root}.part-{random}.tar.gz"
        shell.push(archive.path, remote)
        answer = shell.run(
            _UNPACKING, root, sight.shell, remote, archive.sha256, random, limit_s=_LIMIT_S
        )
    _check(answer, name, root, sight.folder)
    seconds = time.monotonic() - start
    return Installed("bundle", runtime, archive.sha256, sent_bytes, seconds)


def _check_room(answer: ShellAnswer, name: str, folder: str, unpacked: int, packed: int) -> None:
    """Refuse a disk that is too small before anything goes there: both lie there for a moment."""
    free = free_mb(answer.out.decode(errors="replace"))
    needed = -(-(unpacked + packed) // 1_000_000)
    if free is not None and free < needed:
        raise UserError(
            f"{name} has {free} MB free in {folder}, and {needed} MB are needed: "
            f"{-(-packed // 1_000_000)} MB for the bundle that is sent, "
            f"{-(-unpacked // 1_000_000)} MB for what is in it",
            f"free it there, or set `dir` of {name} to a folder with room",
        )


def _check(answer: ShellAnswer, name: str, root: str, folder: str) -> None:
    if answer.code == 0:
        return
    lines = answer.err.decode(errors="replace").strip().splitlines()
    said = lines[-1] if lines else f"it ended with {answer.code}"
    again = f"slimline devices clean {name}, and run again"
    if answer.code == _CHANGED:
        out = answer.out.decode(errors="replace").splitlines()
        changed = [line.rpartition(":")[0] for line in out if not line.endswith(": OK")]
        first, more = next(iter(changed), SUMS), len(changed) - 1
        others = f" nor are {more} other files" if more > 0 else ""
        raise UserError(
            f"{name}: {root}/{first} is not as it was sent{others and ','}{others}",
            f"{again}; if it comes back, check the disk of {name}",
        )
    if answer.code == _LOADED_NOT:
        raise _not_loaded(int(answer.out.split()[-1]), said, name, root, folder)
    if "space left" in said:
        raise UserError(
            f"{name} has too little room in {folder} for the bundle",
            f"free it there, or set `dir` of {name} to a folder with room",
        )
    if answer.code == _DAMAGED:
        said = "it came there with another content"
    raise UserError(
        f"{name} could not unpack the bundle in {folder}: {said}",
        f"check its disk and its memory, then: {again}",
    )


def _not_loaded(code: int, said: str, name: str, root: str, folder: str) -> UserError:
    if code == _SIGNALLED + signal.SIGILL:
        return UserError(
            f"{name}: loading the runtime ended with signal 4: this CPU lacks what it uses",
            f"remove {name} from `devices`",
        )
    if code == _FORBIDDEN or "failed to map segment" in said:
        return UserError(
            f"{name} runs no programs from {folder}: {said}",
            f"set `dir` of {name} to a folder on another disk",
        )
    how = f"signal {code - _SIGNALLED}" if code > _SIGNALLED else said
    return UserError(
        f"{name} cannot load the runtime in {root}: {how}",
        f"update the system of {name}, or remove it from `devices`",
    )
