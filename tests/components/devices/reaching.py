"""Devices for the contract of all: this machine, those of the tests' own, and a real one.

``SLIMLINE_TEST_DEVICE=adb:SERIAL`` or ``ssh:HOST`` names the real one; below a folder that is
removed in the end.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.devices.device import Device
from components.devices.host import Host
from components.devices.remote import wheels
from components.devices.remote.adb import AdbShell
from components.devices.remote.adb_device import open_adb
from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import AdbSettings, SshSettings
from components.devices.remote.shell import Shell
from components.devices.remote.ssh import SshShell
from components.devices.remote.ssh_device import open_ssh
from tests.components.devices.remote.bundle.built import Bundles
from tests.components.devices.remote.host_shell import HostShell, programs
from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime
from tests.servers.phone.phone import Adb, Phone
from tests.servers.sshd import HOST, Sshd

REAL = os.environ.get("SLIMLINE_TEST_DEVICE", "")
UNSET = "SLIMLINE_TEST_DEVICE names no real device: adb:SERIAL or ssh:HOST"
# Behind ssh there is busybox's ash, too; behind adb mksh with toybox. Of ARM is a phone without
# Python, which gets a bundle: each of its processes takes seconds to start.
ARM = pytest.param("arm", marks=pytest.mark.slow)
BEHIND_A_SHELL = ("busybox", "ssh", "adb", ARM, "real")
WAYS = ("host", *BEHIND_A_SHELL)


@dataclass
class Reached:
    """A device, and another way to look at it.

    Attributes:
        device: Is tested.
        again: Opens it once more, as somebody else would.
        aside: Reaches what is behind a shell, too; None for this machine itself.
        folder: There, absolute; the only one that may change.
    """

    device: Device
    again: Callable[[], Device]
    aside: Shell | None = None
    folder: str = ""

    @property
    def remote(self) -> RemoteDevice:
        """The device, which is behind a shell."""
        assert isinstance(self.device, RemoteDevice)
        return self.device

    def left(self) -> list[str]:
        """What lies there but for what is installed, the lock and what is remembered."""
        if self.aside is None:
            return []
        listed = self.aside.run('ls -A "$1" 2>/dev/null; :', self.folder).out.decode().split()
        kept = ("site-", "root-", "lock", "best.json")
        return [name for name in listed if not name.startswith(kept)]


@contextmanager
def reached(way: str, folder: Path, bundles: Bundles | None = None) -> Iterator[Reached]:
    """Open a device; what is behind it is closed, and all that was put there removed.

    Args:
        way: Of ``WAYS``; ``real`` skips where none is named.
        folder: Of the test.
        bundles: For ``arm``, which needs one.
    """
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        if way == "host":
            yield Reached(Host(), Host)
            return
        if way != "real":
            patch.setenv("XDG_CACHE_HOME", str(folder / "kept"))
        found = real() if way == "real" else opened(way, folder, stack, patch)
        if way == "arm":
            assert bundles is not None
            bundles.give("aarch64", patch)
        elif way != "real":
            keep_linked_runtime(wheels.wheel_folder(), found.remote._seen().python)
        yield found
        found.remote.clean()
        found.remote.close()


def opened(way: str, folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> Reached:
    """Open a device of the tests' own."""
    there, aside = str(folder / "there"), HostShell(folder / "aside")
    if way == "busybox":
        settings = SshSettings(host="pi", python=PYTHON, dir=there)

        def behind_ash() -> RemoteDevice:
            shell = HostShell(folder / "ash", "busybox", "pi")
            return RemoteDevice("ssh", "pi", shell, settings, transport="ssh", address="pi")

        return Reached(behind_ash(), behind_ash, aside, there)
    if way == "ssh":
        environment = {**programs(folder / "programs", "busybox"), "HOME": str(folder)}
        server = stack.enter_context(Sshd(folder / "sshd", environment=environment))
        patch.setenv("PATH", f"{server.programs}{os.pathsep}{os.environ['PATH']}")
        settings = SshSettings(host=HOST, python=PYTHON, dir=there)
        return Reached(open_ssh("pi", settings), lambda: open_ssh("pi", settings), aside, there)
    adb = stack.enter_context(Adb(folder.with_name(f"{folder.name}-adb")))
    patch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
    phone = stack.enter_context(Phone(folder / "phone", adb, arm=way == "arm"))
    python = None if way == "arm" else PYTHON
    on_phone = AdbSettings(serial=phone.serial, python=python, dir=there)
    return Reached(open_adb("pi", on_phone), lambda: open_adb("pi", on_phone), aside, there)


def real() -> Reached:
    """Open the real device; a test skips where none is named."""
    kind, _, address = REAL.partition(":")
    name = f"slimline-test-{secrets.token_hex(6)}"
    if kind == "adb":
        there = f"/data/local/tmp/{name}"
        phone = AdbSettings(serial=address, dir=there)
        aside = AdbShell("pi", address)
        return Reached(open_adb("pi", phone), lambda: open_adb("pi", phone), aside, there)
    if kind == "ssh":
        there = f"/tmp/{name}"
        board = SshSettings(host=address, dir=there)
        return Reached(
            open_ssh("pi", board), lambda: open_ssh("pi", board), SshShell("pi", address), there
        )
    pytest.skip(UNSET)


def until(holds: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """Return whether a condition comes true in time."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return holds()
