"""Ssh: a shell on another machine; one connection, which it opens and ends, carries all scripts."""

from __future__ import annotations

from pathlib import Path

from components.devices.remote import pushing
from components.devices.remote.framing import Frame
from components.devices.remote.jump import Jump
from components.devices.remote.shell import ShellAnswer
from components.devices.remote.ssh_connection import SshConnection, call, fault


class SshShell:
    """A ``Shell`` on a machine that ssh reaches.

    Args:
        name: Of the device.
        host: Any name that ``ssh`` knows.
        alive_s: As of ``SshConnection``.
        jump: As of ``SshConnection``.
    """

    def __init__(self, name: str, host: str, alive_s: int = 5, jump: Jump | None = None) -> None:
        self.name, self.host = name, host
        self._connection = SshConnection(host, alive_s, jump)

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
        said = call(self._connection, frame, frame.command, data=data, hold=hold, limit_s=limit_s)
        if isinstance(said, ShellAnswer):
            return said
        raise fault(self.name, self._connection, said, limit_s)

    def push(self, local: Path, remote: str) -> None:
        """Bring a file there, as ``Shell`` promises."""
        pushing.push(self, local, remote, self.name)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
