"""Bringing the runtime to a device: for the Python there, or with a Python of its own."""

from __future__ import annotations

from dataclasses import dataclass

from components.devices.device import Installed
from components.devices.remote.bundle.building import bundle_archive
from components.devices.remote.bundle.lock import BundleLock
from components.devices.remote.bundle.unpacking import install_bundle
from components.devices.remote.installing import install
from components.devices.remote.looking import Sight
from components.devices.remote.shell import Shell
from components.devices.remote.wheels import site_archive, wheel_folder


@dataclass(frozen=True)
class RuntimeThere:
    """How a probe is started on a device.

    Attributes:
        python: Its interpreter.
        shell: What starts that, where it is a script; else empty.
        site: Folder of the packages that the probe imports.
    """

    python: str
    shell: str
    site: str


def bring_runtime(
    shell: Shell, name: str, sight: Sight, runtime: str
) -> tuple[Installed, RuntimeThere]:
    """Bring the runtime to a device, unless it is there.

    Args:
        shell: Of the device.
        name: Of it.
        sight: What a look has found.
        runtime: Version of the runtime.

    Raises:
        UserError: It cannot be fetched, there is no room, or it cannot be loaded there.
        LostError: The device went away.
    """
    if not sight.shell:
        archive = site_archive(sight.python, runtime, name, wheel_folder())
        installed = install(shell, name, sight, archive, runtime)
        there = RuntimeThere(sight.python.path, "", f"{sight.folder}/{archive.site}")
        return installed, there
    archive = bundle_archive(sight.python, BundleLock.read(), runtime, name)
    installed = install_bundle(shell, name, sight, archive, runtime)
    root = f"{sight.folder}/{archive.site}"
    return installed, RuntimeThere(f"{root}/python", sight.shell, f"{root}/site")
