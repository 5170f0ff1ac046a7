"""Ssh device: a board that the system's ssh reaches."""

from __future__ import annotations

from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh import SshShell


def open_ssh(name: str, settings: SshSettings) -> RemoteDevice:
    """Return a board; nothing is contacted yet.

    Args:
        name: In the configuration.
        settings: How it is reached, and what it measures with.
    """
    shell = SshShell(name, settings.host)
    return RemoteDevice("ssh", name, shell, settings, transport="ssh", address=settings.host)
