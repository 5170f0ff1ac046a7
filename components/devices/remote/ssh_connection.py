"""Ssh connection: the system's own client, and so the user's own settings, open for many calls.

Host names, jumps, keys and agents are what ``~/.ssh/config`` says. Boards are reached by it, and
machines that phones hang on.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.client import Heartbeat, Silence, converse
from components.devices.remote.framing import Frame
from components.devices.remote.jump import Jump
from components.devices.remote.known_faults import KnownFault, known_fault
from components.devices.remote.shell import ShellAnswer

_EXIT_S = 10.0
_LONGEST_FOLDER = 60  # a socket's path has 108 bytes at most, and ssh appends 17 for a moment
FAILED = 255
"""The code of ssh where it is ssh that failed, and not what it ran."""
_NO_SHELL = KnownFault(
    "",
    "{name} ran no shell: the login on {host} ended with {code}: {said}",
    "make `ssh {host} 'sh -c \"echo yes\"'` print yes: its user needs a login shell that runs "
    "commands, and a profile that does not end it",
)
# What is not here is a connection that broke.
_FAULTS = (
    KnownFault(
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "{host} shows another host key than known_hosts has",
        "if it was set up anew, `{removal}` and then `ssh {host}` once by hand; if not, somebody "
        "is in between",
    ),
    KnownFault(
        "Host key verification failed",
        "the host key of {host} is not known",
        "run `ssh {host}` once by hand and compare it",
    ),
    KnownFault(
        r"Permission denied \(|Too many authentication failures",
        "{host} refuses the login: {said}",
        "make `ssh -o BatchMode=yes {host} true` work: with a key that asks nothing, such as one "
        "that `ssh-copy-id {host}` brought there",
    ),
    KnownFault(
        "Could not resolve hostname|hostname contains invalid",
        "{name}: nothing is called {host} here: {said}",
        "set `host` of {name} to a name that ssh knows, or name it in ~/.ssh/config",
    ),
    KnownFault(
        "refused|No route|unreachable|timed out|is down",
        "{name} does not answer: {said}",
        "switch it on, look at its network and whether its ssh server runs, and make "
        "`ssh -o BatchMode=yes {host} true` work",
    ),
    KnownFault(
        "onfiguration option|Bad owner|keyword|terminating, ",
        "ssh does not read its settings: {said}",
        "make `ssh -o BatchMode=yes {host} true` work",
    ),
)


class SshConnection:
    """How ssh is called for one host, so that all calls share a connection.

    Args:
        host: Any name that ``ssh`` knows.
        alive_s: After three times as long without a sign of life, the other side counts as gone;
            to take up a connection, it has twice as long.
        jump: The machine by way of which it is reached; None: as the user's settings say.

    Raises:
        UserError: The secret that has the keys for that lacks something.
    """

    def __init__(self, host: str, alive_s: int = 5, jump: Jump | None = None) -> None:
        self.host, self.jump = host, jump
        parent = tempfile.gettempdir()
        if len(parent) > _LONGEST_FOLDER:
            parent = "/tmp"  # noqa: S108 the folder that is made in it is our own
        self._folder = Path(tempfile.mkdtemp(prefix="slimline-", dir=parent))
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(2 * alive_s),
            "ServerAliveInterval": str(alive_s),
            "ServerAliveCountMax": "3",
            "ControlMaster": "auto",
            "ControlPersist": "30",
            "ControlPath": str(self._folder / "s"),
            "ClearAllForwardings": "yes",
            "ForwardAgent": "no",
            # The user's own settings for that host may name a command or ask for a terminal,
            # and may hide the sentences by which a fault is known.
            "RemoteCommand": "none",
            "RequestTTY": "no",
            "LogLevel": "INFO",
        }
        self._options = [word for name in options for word in ("-o", f"{name}={options[name]}")]
        if jump is not None:
            try:
                self._options = [*jump.words(host, self._folder, alive_s), *self._options]
            except UserError:
                self.close()
                raise

    def command(self, line: str) -> list[str]:
        """Return the call that runs a line in the login shell of the host."""
        return ["ssh", *self._options, "--", self.host, line]

    def said_on_the_way(self) -> str:
        """Return what ssh said on the way to the machine that the host is reached by."""
        return self.jump.said(self._folder) if self.jump else ""

    def close(self) -> None:
        """End the connection."""
        if (self._folder / "s").exists():
            command = ["ssh", *self._options, "-O", "exit", "--", self.host]
            # A connection that does not even answer that ends by itself, half a minute later.
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    command,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_EXIT_S,
                )
        shutil.rmtree(self._folder, ignore_errors=True)


def call(
    connection: SshConnection,
    frame: Frame,
    line: str,
    *,
    data: bytes | None,
    hold: bool,
    limit_s: float,
    heartbeat: Heartbeat | None = None,
) -> ShellAnswer | Silence:
    """Run a line that runs a framed script.

    Raises:
        UserError: There is no ssh.
    """
    try:
        return converse(
            connection.command(line), frame, data=data, hold=hold, limit_s=limit_s,
            heartbeat=heartbeat,
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError(
            f"{connection.host} is reached with ssh, and there is none here",
            "install it: apt-get install openssh-client",
        ) from None


def fault(
    name: str, connection: SshConnection, silence: Silence, limit_s: float
) -> UserError | LostError:
    """Return what a call of ssh that brought no answer means.

    Args:
        name: Of the device.
        connection: That was used.
        silence: What ssh said instead.
        limit_s: How long an answer was waited for.
    """
    if silence.begun or silence.code is None:
        return silence.loss(name, limit_s)
    host, jump, err = connection.host, connection.jump, silence.err
    if jump and silence.code == FAILED:
        on_the_way = connection.said_on_the_way()
        if found := jump.fault(name, host, f"{on_the_way}\n{err}"):
            return found
        if on_the_way.strip():
            host, err = jump.host, on_the_way
    said = _last_line(err)
    faults = _FAULTS if silence.code == FAILED else (_NO_SHELL,)
    return known_fault(
        err,
        faults,
        name=name,
        host=host,
        code=str(silence.code),
        said=said or "ssh says nothing",
        removal=_removal(host, err),
    ) or silence.loss(name, limit_s)


def _removal(host: str, err: str) -> str:
    """Return ssh's own advice on the entry to remove: the name there is not always the host's."""
    lines = [line.strip() for line in err.splitlines()]
    advice = [line for line in lines if line.startswith("ssh-keygen -f")]
    return advice[0] if advice else f"ssh-keygen -R {host}"


def _last_line(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    return lines[-1] if lines else ""
