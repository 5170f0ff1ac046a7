"""A real sshd of the tests' own: its own port, its own keys, reached as ``pi5``.

The client reads ``~/.ssh`` of the account whatever ``$HOME`` says, so a program ``ssh`` in
``Sshd.programs`` hands it settings of its own.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import pytest

from tests.servers.processes import descendants, free_port, send

HOST = "pi5"
_SSHD = "/usr/sbin/sshd"
_NOISE = 'echo "Welcome, E0 0"; echo "You have mail" >&2'


class Sshd:
    """A server that runs while the context does.

    Args:
        folder: Of the test.
        login: What runs in place of the line that a client sends, for ``/bin/sh``; that line is
            in ``$SSH_ORIGINAL_COMMAND``. Without it, the login shell of the account runs the line.
        environment: The only variables of what clients run; with it, a talkative profile.
    """

    def __init__(
        self, folder: Path, login: str | None = None, environment: dict[str, str] | None = None
    ) -> None:
        if not Path(_SSHD).exists() or shutil.which("ssh") is None:
            pytest.skip("there is no sshd: .ci/devices install")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port = free_port()
        if environment is not None:
            variables = shlex.join(f"{name}={value}" for name, value in environment.items())
            login = (
                f'{_NOISE}\nenv -i {variables} sh -c "$SSH_ORIGINAL_COMMAND"\n'
                "code=$?\necho Bye\nexit $code"
            )
        self._login = login
        for name in ("host", "user", "stranger"):
            self._make_key(name)
        self.trust("user")
        self.show("host")
        self._write_client()

    @property
    def programs(self) -> Path:
        """The folder with the program ``ssh``, for the front of ``PATH``."""
        return self._folder / "bin"

    @property
    def known_hosts(self) -> Path:
        """What the client knows of hosts."""
        return self._folder / "known_hosts"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        config = self._folder / "sshd_config"
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self._folder / 'shown'}",
            f"AuthorizedKeysFile {self._folder / 'authorized_keys'}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            # With it, bash takes itself for a nested shell and leaves out the account's profile.
            "SetEnv SHLVL=2",
        ]
        if self._login is not None:
            script = self._folder / "login"
            script.write_text(f"#!/bin/sh\n{self._login}\n")
            script.chmod(0o755)
            lines.append(f"ForceCommand {script}")
        config.write_text("\n".join(lines) + "\n")
        self._log = (self._folder / "sshd.log").open("ab")
        self._server = subprocess.Popen(
            [_SSHD, "-D", "-e", "-f", str(config)], stdout=self._log, stderr=self._log
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError((self._folder / "sshd.log").read_text())

    def stop(self) -> None:
        """End it and all its connections, as when the power is cut."""
        self.drop()
        self._server.kill()
        self._server.wait()
        self._log.close()

    def drop(self) -> None:
        """End its connections."""
        send(self.connections(), signal.SIGKILL)

    def freeze(self) -> None:
        """Make it deaf: what it holds stays open."""
        send([self._server.pid, *self.connections()], signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        send([self._server.pid, *self.connections()], signal.SIGCONT)

    def trust(self, key: str) -> None:
        """Let in whoever has a key, ``user`` or ``stranger``, and nobody else."""
        public = (self._folder / f"{key}.pub").read_text()
        (self._folder / "authorized_keys").write_text(public)

    def show(self, key: str) -> None:
        """Show another host key from the next start on: as if the machine was set up anew."""
        for suffix in ("", ".pub"):
            (self._folder / f"shown{suffix}").unlink(missing_ok=True)
            shutil.copy2(self._folder / f"{key}{suffix}", self._folder / f"shown{suffix}")

    def learn(self) -> None:
        """Put the key that it shows into ``known_hosts``, as a first ``ssh`` by hand does."""
        public = (self._folder / "shown.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}")

    def connections(self) -> list[int]:
        """Return the processes of its connections; not what clients have started there."""
        found = descendants(self._server.pid)
        return [pid for pid in found if _name(pid) == "sshd"]

    def _make_key(self, name: str) -> None:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / name)],
            check=True,
            stdin=subprocess.DEVNULL,
        )

    def _write_client(self) -> None:
        config = self._folder / "ssh_config"
        config.write_text(
            f"Host {HOST}\n"
            "  HostName 127.0.0.1\n"
            f"  Port {self.port}\n"
            f"  User {getpass.getuser()}\n"
            f"  IdentityFile {self._folder / 'user'}\n"
            "  IdentitiesOnly yes\n"
            "  IdentityAgent none\n"
            # What people have there, and what must not get in the way.
            "  RequestTTY yes\n"
            "  RemoteCommand echo surprise\n"
            "Host *\n"
            f"  UserKnownHostsFile {self.known_hosts}\n"
            "  GlobalKnownHostsFile none\n"
        )
        self.programs.mkdir(exist_ok=True)
        client = self.programs / "ssh"
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
        client.chmod(0o755)
        self.learn()


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
