"""Adb: a shell on a phone through the system's own client, here or on the machine it hangs on.

Another machine's adb server is never spoken to: a client of another version ends it for everybody
there. Where a phone hangs on another machine, adb runs on that one, over ssh.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote import pushing, ssh_connection
from components.devices.remote.client import Heartbeat, Silence, converse
from components.devices.remote.framing import Frame
from components.devices.remote.jump import Jump
from components.devices.remote.known_faults import KnownFault, known_fault
from components.devices.remote.shell import ShellAnswer

_LIST_S = 10.0
_NO_PROGRAM = 127  # the code of a shell that does not find what it is to run
_INSTALL = "apt-get install adb"
# What is not here is a phone that went away.
_FAULTS = (
    KnownFault(
        "unauthorized|authorizing",
        "{name} is authorizing: it asks on its screen whether this computer may debug it",
        "unlock it and allow USB debugging, always from this computer",
    ),
    KnownFault(
        "insufficient permissions|no permissions",
        "{name} cannot be reached: no permissions for its USB port: {said}",
        "install the rules that grant them, `apt-get install "
        "android-sdk-platform-tools-common`, be a member of the group plugdev, plug it in again",
    ),
    KnownFault(
        "only supports allocating a pty",
        "{name} has an Android older than 7: its shell tells no exit codes",
        "take a phone with Android 7 or newer",
    ),
    KnownFault(
        "cannot connect to daemon|failed to start daemon|could not install .smartsocket",
        "{name} cannot be reached: adb does not get its server to run: {said}",
        "make `{adb} start-server` work",
    ),
)


class AdbShell:
    """A ``Shell`` on a phone that adb reaches.

    Args:
        name: Of the device.
        serial: As ``adb devices`` lists it, or ``usb:PORT`` as ``adb devices -l`` does.
        via: The machine that the phone hangs on, any name that ``ssh`` knows; None for this one.
        alive_s: As of ``SshConnection``, to that machine; and after so long without a word the
            phone is asked whether it is alive, and has three times as long to say so.
        jump: The machine that holds the devices; the phone hangs on it where ``via`` is None.
    """

    def __init__(
        self,
        name: str,
        serial: str,
        via: str | None = None,
        alive_s: int = 5,
        jump: Jump | None = None,
    ) -> None:
        via = via or (jump.host if jump else None)
        self.name, self.serial, self.via = name, serial, via
        self._alive_s = alive_s
        self._route = None if via is None else ssh_connection.SshConnection(via, alive_s, jump)

    def run(
        self,
        script: str,
        *args: str,
        data: bytes | None = None,
        hold: bool = False,
        limit_s: float = 60.0,
    ) -> ShellAnswer:
        """Run a script, as ``Shell`` promises."""
        frame = Frame(script, args)
        command = ["adb", "-s", self.serial, "shell", "-T", frame.command]
        heartbeat = Heartbeat(self._alive_s, self._answers)
        said = self._call(
            command, frame, data=data, hold=hold, limit_s=limit_s, heartbeat=heartbeat
        )
        if isinstance(said, ShellAnswer):
            return said
        raise self._fault(said, limit_s)

    def push(self, local: Path, remote: str) -> None:
        """Bring a file there, as ``Shell`` promises."""
        pushing.push(self, local, remote, self.name)

    def close(self) -> None:
        """End the connection to the machine that the phone hangs on."""
        if self._route is not None:
            self._route.close()

    def _answers(self) -> bool:
        """Whether the phone runs a shell that says a word; adb itself never asks it that.

        Where adb fails at once, it is not the phone that is silent, and whoever waits is told.
        """
        frame = Frame(":")
        command = ["adb", "-s", self.serial, "shell", "-T", frame.command]
        said = self._call(command, frame, limit_s=3 * self._alive_s)
        return isinstance(said, ShellAnswer) or said.code is not None

    def _call(
        self,
        command: list[str],
        frame: Frame,
        *,
        data: bytes | None = None,
        hold: bool = False,
        limit_s: float,
        heartbeat: Heartbeat | None = None,
    ) -> ShellAnswer | Silence:
        """Run a command that runs a framed script, here or where the phone hangs."""
        if self._route is not None:
            line = shlex.join(command)
            return ssh_connection.call(
                self._route, frame, line, data=data, hold=hold, limit_s=limit_s,
                heartbeat=heartbeat,
            )  # fmt: skip
        try:
            return converse(
                command, frame, data=data, hold=hold, limit_s=limit_s, heartbeat=heartbeat
            )
        except FileNotFoundError:
            raise UserError(
                f"{self.name} is reached with adb, and there is none here",
                f"install it: {_INSTALL}",
            ) from None

    def _fault(self, silence: Silence, limit_s: float) -> UserError | LostError:
        """Return what a call of adb that brought no answer means."""
        said = _reason(silence.err)
        if silence.begun or silence.code is None or silence.frozen_s:
            return silence.loss(self.name, limit_s, said)
        if (found := self._route_fault(silence, limit_s)) is not None:
            return found
        if "more than one device" in silence.err:
            return self._twice()
        words = {"name": self.name, "said": said, "adb": self._by_hand("adb")}
        if (fault := known_fault(silence.err, _FAULTS, **words)) is not None:
            return fault
        if "not found" in silence.err:
            return self._absent()
        return silence.loss(self.name, limit_s, said)

    def _route_fault(self, silence: Silence, limit_s: float) -> UserError | LostError | None:
        """Return what is wrong with the machine that the phone hangs on, if it is that."""
        if self.via is None or "error:" in silence.err:
            return None
        if silence.code == _NO_PROGRAM:
            return UserError(
                f"{self.name} hangs on {self.via}, and there is no adb there",
                f"install it there: {_INSTALL}",
            )
        if self._route is None or silence.code != ssh_connection.FAILED:
            return None
        return ssh_connection.fault(self.name, self._route, silence, limit_s)

    def _absent(self) -> UserError:
        adb = f"adb on {self.via}" if self.via is not None else "adb"
        if re.fullmatch(r"[^:]+:\d+|\[.+\]:\d+", self.serial):
            return UserError(
                f"{self.name} is not there: {adb} is not connected to {self.serial}",
                f"connect it: `{self._by_hand(f'adb connect {self.serial}')}`",
            )
        lines = [line.split() for line in self._listed().splitlines()[1:]]
        known = ", ".join(words[0] for words in lines if words)
        return UserError(
            f"{self.name} is not there: {adb} sees {known or 'no phone'}, and not {self.serial}",
            "plug it in, unlock it and allow USB debugging in its developer options, or set "
            f"`serial` of {self.name} to one that `{self._by_hand('adb devices -l')}` lists",
        )

    def _twice(self) -> UserError:
        found = ports(self._listed(), self.serial)
        choice = " or ".join(f"`serial: {port}`" for port in found) or "`serial: usb:PORT`"
        count = "two" if len(found) == 2 else len(found) or "several"
        return UserError(
            f"{count} phones are called {self.serial}",
            f"name the port that {self.name} hangs on: {choice}",
        )

    def _by_hand(self, command: str) -> str:
        return command if self.via is None else f"ssh {self.via} {command}"

    def _listed(self) -> str:
        """Return what adb lists, with the ports that phones hang on."""
        frame = Frame("adb devices -l")
        said = self._call(shlex.split(frame.command), frame, limit_s=_LIST_S)
        return said.out.decode(errors="replace") if isinstance(said, ShellAnswer) else ""


def ports(listed: str, serial: str) -> list[str]:
    """Return the USB ports at which phones of one serial number hang.

    Args:
        listed: What ``adb devices -l`` printed.
        serial: The number.
    """
    lines = [line.split() for line in listed.splitlines()]
    return [
        word
        for words in lines
        if words[:1] == [serial]
        for word in words
        if word.startswith("usb:")
    ]


def _reason(err: str) -> str:
    """Return the line that says what is wrong, without the program's name."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("error:", "adb:"))] or lines[-1:]
    return re.sub(r"^(adb|error): *", "", telling[0]) if telling else ""
