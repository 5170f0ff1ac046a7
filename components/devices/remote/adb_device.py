"""Adb device: a phone, or a board with an adb daemon."""

from __future__ import annotations

from components.devices.remote.adb import AdbShell
from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import AdbSettings


def open_adb(name: str, settings: AdbSettings) -> RemoteDevice:
    """Return a device; nothing is contacted yet.

    Args:
        name: In the configuration.
        settings: How it is reached, and what it measures with.
    """
    shell = AdbShell(name, settings.serial, settings.via)
    transport = f"adb by way of {settings.via}" if settings.via else "adb"
    return RemoteDevice("adb", name, shell, settings, transport=transport, address=settings.serial)
