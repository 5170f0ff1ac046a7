"""A secret of Kubernetes as pods see it: a folder with a file for each of its keys."""

from __future__ import annotations

import getpass
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.servers.sshd import Sshd

LAB = "lab.lan"
"""What pods call the machine that holds the devices."""


def make_secret(folder: Path, lab: Sshd, boards: Mapping[str, Sshd]) -> Path:
    """Make the secret by which pods reach boards by way of a machine, and return its folder.

    Args:
        folder: Its last part is the secret's name.
        lab: The machine that holds the devices; everything lets in its user's key.
        boards: By name what it reaches.
    """
    folder.mkdir(parents=True)
    shutil.copy2(lab.programs.parent / "user", folder / "ssh-privatekey")
    (folder / "ssh-privatekey").chmod(0o644)  # as the volume of a secret has them
    settings: list[str] = []
    known: list[str] = []
    for name, server in {LAB: lab, **boards}.items():
        settings += [
            f"Host {name}",
            "  HostName 127.0.0.1",
            f"  Port {server.port}",
            f"  User {getpass.getuser()}",
        ]
        known.append(server.known_hosts.read_text().strip())
        public = (lab.programs.parent / "user.pub").read_text()
        (server.programs.parent / "authorized_keys").write_text(public)
    (folder / "config").write_text("\n".join(settings) + "\n")
    (folder / "known_hosts").write_text("\n".join(known) + "\n")
    return folder
