"""Adb device: a board with an adb daemon, a C library such as glibc, and a Python of its own."""

from __future__ import annotations

from pathlib import Path

from components.devices.remote.adb import AdbShell
from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import AdbSettings
from components.devices.runner.device import RunnerDevice


def open_adb(
    name: str, settings: AdbSettings, runner: Path | None = None, *, operators: bool = False
) -> RemoteDevice:
    """Return a device; nothing is contacted yet.

    Args:
        name: In the configuration.
        settings: How it is reached, and what it measures with.
        runner: The user's ``benchmark_model``, which measures there; None: slimline's own probe.
        operators: Whether that is to time operators, too.
    """
    shell = AdbShell(name, settings.serial, settings.via)
    transport = f"adb by way of {settings.via}" if settings.via else "adb"
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
