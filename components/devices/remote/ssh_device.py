"""Ssh device: a board that the system's ssh reaches."""

from __future__ import annotations

from pathlib import Path

from components.devices.remote.device import RemoteDevice
from components.devices.remote.jump import Jump
from components.devices.remote.runner.device import RunnerDevice
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh import SshShell


def open_ssh(
    name: str,
    settings: SshSettings,
    runner: Path | None = None,
    *,
    operators: bool = False,
    jump: Jump | None = None,
) -> RemoteDevice:
    """Return a board; nothing is contacted yet.

    Args:
        name: In the configuration.
        settings: How it is reached, and what it measures with.
        runner: The user's ``benchmark_model``, which measures there; None: slimline's own probe.
        operators: Whether that is to time operators, too.
        jump: The machine by way of which it is reached; None: the one that this pod has been told
            of, if it is a pod.

    Raises:
        UserError: The secret that has the keys of a pod lacks something.
    """
    jump = jump or Jump.of_pod()
    shell = SshShell(name, settings.host, jump=jump)
    transport = f"ssh by way of {jump.host}" if jump else "ssh"
    if runner:
        return RunnerDevice(
            "ssh",
            name,
            shell,
            settings,
            runner,
            operators=operators,
            transport=transport,
            address=settings.host,
        )
    return RemoteDevice("ssh", name, shell, settings, transport=transport, address=settings.host)
