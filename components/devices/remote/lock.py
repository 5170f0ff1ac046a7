"""Lock: one measurement at a time on a device, among all engines and machines that reach it.

It lies on the device itself and holds who has it and until when, on the device's own uptime: no two
clocks have to agree. A lock of an engine that died ends with its lease or with a restart; the
machine where it died knows that, and takes it over at once: a device that was unplugged while it
measured is not waited for.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from components.contract.digests import digest
from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.shell import Shell, ShellAnswer

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_UPTIME = "/proc/uptime"
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0
_HELD, _CHANGING = 97, 98
_TELLING = 8  # characters of a digest

# Who may read and write `holder` is who has made the folder `changing-`: of any number that try,
# one. It is there for a moment; after a restart that came in this moment it has another name, and
# one whose shell was killed in this moment is removed when it is a minute old. The folder `lock`
# stays: were it removed and made in turn, `mkdir -p` would fail in between.
_CHANGE = f"""\
lock=$1 token=$2
read -r boot <"$3" && read -r uptime idle <"$4" || exit
now=${{uptime%%.*}}
[ -d "$lock" ] || mkdir -p "$lock" 2>/dev/null || [ -d "$lock" ] || mkdir -p "$lock" || exit
if ! mkdir "$lock/changing-$boot" 2>/dev/null; then
    find "$lock" -name 'changing-*' -mmin +1 -exec rmdir {{}} ';' 2>/dev/null
    exit {_CHANGING}
fi
theirs= then=0 until=0 holder=
if [ -e "$lock/holder" ]; then
    {{ read -r theirs; read -r then; read -r until; read -r holder; }} <"$lock/holder"
fi
"""
_TAKE = f"""\
{_CHANGE}
code=0
if [ "$theirs" != "$token" ] && [ "$then" = "$boot" ] && [ "$until" -gt "$now" ] &&
    [ "$holder" != "$7" ]; then
    printf '%s\\n' "$((until - now))" "$holder"
    code={_HELD}
else
    printf '%s\\n' "$token" "$boot" "$((now + $5))" "$6" >"$lock/holder.new" &&
        mv -f "$lock/holder.new" "$lock/holder" || code=1
fi
rmdir "$lock/changing-$boot"
exit $code
"""
_LEAVE = f"""\
[ -d "$1" ] || exit 0
{_CHANGE}
[ "$theirs" != "$token" ] || rm -f "$lock/holder"
rmdir "$lock/changing-$boot"
exit 0
"""


def holder_here() -> str:
    """Return who we are, for others that want the same device."""
    process = f"process {os.getpid()} of {_processes_here()}"
    return f"{getpass.getuser()} on {socket.gethostname()} ({process})"


def is_dead(holder: str) -> bool:
    """Whether a holder, as ``holder_here`` said it, is known to run no more: it was one of ours."""
    said = re.search(r"\(process (\d+) of ([0-9a-f]+)\)$", holder)
    if said is None or said[2] != _processes_here():
        return False
    try:
        os.kill(int(said[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # of another user
        return False
    return False


def _processes_here() -> str:
    """Return what tells the processes that we see from those of other machines and containers."""
    seen = f"{Path(_BOOT_ID).read_text()} {Path('/proc/self/ns/pid').readlink()}"
    return digest("processes", seen)[:_TELLING]


class DeviceLock:
    """Have a device for oneself, inside ``with``.

    Args:
        shell: Of the device.
        name: Of it.
        folder: Ours on it, absolute; it is made.
        holder: Who we are, on one line.
        wait_s: How long to wait for others.
        lease_s: For how long nobody may take it from us without ``renew``.
        boot_id: The file there that changes with every start.
        uptime: The file there with the seconds since then.
    """

    def __init__(
        self,
        shell: Shell,
        name: str,
        folder: str,
        holder: str,
        *,
        wait_s: float = 0.0,
        lease_s: float = 900.0,
        boot_id: str = _BOOT_ID,
        uptime: str = _UPTIME,
    ) -> None:
        self._shell, self._name, self._lock = shell, name, f"{folder}/lock"
        self._holder, self._wait_s, self._lease_s = holder, wait_s, lease_s
        self._files = (boot_id, uptime)
        self._token = secrets.token_hex(8)

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            UserError: Somebody else has it, or it cannot be written there.
            LostError: The device went away.
        """
        until, wait_s, dead = time.monotonic() + self._wait_s, _FIRST_WAIT_S, ""
        while (answer := self._change(_TAKE, self._lease_s, dead)).code != 0:
            if answer.code != _HELD:
                raise self._unwritable(answer)
            holder = _held(answer)[1]
            if holder != dead and is_dead(holder):
                dead = holder
                continue
            if time.monotonic() + wait_s > until:
                left_s, by = _held(answer)
                raise UserError(
                    f"{self._name} is in use by {by}, for {left_s} s more at most",
                    f"wait until that has ended, or leave {self._name} out: slimline run "
                    f"--without {self._name}",
                )
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back, unless somebody else has it by now."""
        # What was measured is measured; without us, the lock ends with its lease.
        with suppress(LostError, UserError):
            self._change(_LEAVE)

    def renew(self, lease_s: float) -> None:
        """Keep it for so long from now on.

        Args:
            lease_s: More than the next step takes, in seconds.

        Raises:
            UserError: The lease had ended, and somebody else has taken it.
            LostError: The device went away.
        """
        answer = self._change(_TAKE, lease_s)
        if answer.code == _HELD:
            _, by = _held(answer)
            raise UserError(
                f"{self._name} is in use by {by}: we had it for too long without a sign of life",
                "run again",
            )
        if answer.code != 0:
            raise self._unwritable(answer)

    def _change(self, script: str, lease_s: float = 0.0, dead: str = "") -> ShellAnswer:
        """Run a script that changes the lock as soon as nobody else does.

        Args:
            script: What is run.
            lease_s: For how long it is taken.
            dead: A holder that needs it no more.
        """
        while True:
            answer = self._shell.run(
                script,
                self._lock,
                self._token,
                *self._files,
                str(max(round(lease_s), 1)),
                self._holder,
                dead,
            )
            if answer.code != _CHANGING:
                return answer
            time.sleep(_FIRST_WAIT_S)

    def _unwritable(self, answer: ShellAnswer) -> UserError:
        said = answer.err.decode(errors="replace").strip().splitlines()
        return UserError(
            f"{self._name} does not let us write into {self._lock}: {said[-1] if said else ''}",
            f"set `dir` of {self._name} to a folder with room that its user may write into",
        )


def _held(answer: ShellAnswer) -> tuple[int, str]:
    """Return for how many seconds more it is held, and by whom."""
    left_s, _, holder = answer.out.decode(errors="replace").partition("\n")
    return int(left_s), holder.strip() or "somebody"
