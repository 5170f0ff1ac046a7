"""Adb device: a phone, or a board with an adb daemon."""

from __future__ import annotations

from pathlib import Path

from components.devices.remote.adb import AdbShell
from components.devices.remote.device import RemoteDevice
from components.devices.remote.jump import Jump
from components.devices.remote.runner.device import RunnerDevice
from components.devices.remote.settings import AdbSettings


def open_adb(
    name: str,
    settings: AdbSettings,
    runner: Path | None = None,
    *,
    operators: bool = False,
    jump: Jump | None = None,
) -> RemoteDevice:
    """Return a device; nothing is contacted yet.

    Args:
        name: In the configuration.
        settings: How it is reached, and what it measures with.
        runner: The user's ``benchmark_model``, which measures there; None: slimline's own probe.
        operators: Whether that is to time operators, too.
        jump: The machine that holds the devices; None: the one that this pod has been told of, if
            it is a pod.

    Raises:
        UserError: The secret that has the keys of a pod lacks something.
    """
    shell = AdbShell(name, settings.serial, settings.via, jump=jump or Jump.of_pod())
    transport = f"adb by way of {shell.via}" if shell.via else "adb"
    if runner:
        return RunnerDevice(
            "adb",
            name,
            shell,
            settings,
            runner,
            operators=operators,
            transport=transport,
            address=settings.serial,
        )
    return RemoteDevice("adb", name, shell, settings, transport=transport, address=settings.serial)
