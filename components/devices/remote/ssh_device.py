"""Ssh device: a board that the system's ssh reaches."""

from __future__ import annotations

from pathlib import Path

from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh import SshShell
from components.devices.runner.device import RunnerDevice


def open_ssh(
    name: str, settings: SshSettings, runner: Path | None = None, *, operators: bool = False
) -> RemoteDevice:
    """Return a board; nothing is contacted yet.

    Args:
        name: In the configuration.
        settings: How it is reached, and what it measures with.
        runner: The user's ``benchmark_model``, which measures there; None: slimline's own probe.
        operators: Whether that is to time operators, too.
    """
    shell = SshShell(name, settings.host)
    if runner:
        return RunnerDevice(
            "ssh",
            name,
            shell,
            settings,
            runner,
            operators=operators,
            transport="ssh",
            address=settings.host,
        )
    return RemoteDevice("ssh", name, shell, settings, transport="ssh", address=settings.host)
