"""A phone of the tests' own, and a real adb that is connected to it.

Behind adbd there is Android's shell, mksh, with toybox and nothing else.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from tests.components.devices.remote.host_shell import programs
from tests.servers.phone.arm import on_arm
from tests.servers.processes import descendants, free_port, send

_ADBD = Path(__file__).with_name("adbd.py")


class Adb:
    """An adb server on a port of its own, with keys of its own; it runs inside ``with``.

    Args:
        folder: Of the test.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("adb") is None:
            pytest.skip("there is no adb: .ci/devices install")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._environment = {
            **os.environ,
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "HOME": str(folder),
            "TMPDIR": str(folder),
        }

    def __enter__(self) -> Self:
        self.ask("start-server")
        return self

    def __exit__(self, *_: object) -> None:
        self.ask("kill-server")

    def ask(self, *words: str) -> str:
        """Return what adb prints."""
        done = subprocess.run(
            ["adb", *words],
            check=False,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout + done.stderr

    def state_of(self, serial: str) -> str:
        """Return ``device``, ``offline`` and so on, or nothing for a phone that is not there."""
        for line in self.ask("devices").splitlines():
            if line.startswith(f"{serial}\t"):
                return line.partition("\t")[2]
        return ""

    def await_state(self, serial: str, state: str) -> None:
        """Return when a phone is in a state."""
        for _ in range(300):
            if self.state_of(serial) == state:
                return
            time.sleep(0.02)
        raise RuntimeError(f"{serial} is {self.state_of(serial)!r}, not {state!r}")


class Phone:
    """A phone that is connected to an ``Adb``; it runs inside ``with``.

    Args:
        folder: What it has for a disk.
        adb: To connect to; None leaves that to the test.
        features: What it says it can do; another than the usual makes it an old one.
        arm: Whether its processor is an ARM, which qemu stands in for.
    """

    def __init__(
        self, folder: Path, adb: Adb | None, features: str | None = None, *, arm: bool = False
    ) -> None:
        self.folder, self._adb = folder, adb
        folder.mkdir(parents=True, exist_ok=True)
        found = programs(folder / "system", "mksh")["PATH"]
        more = [] if features is None else ["--features", features]
        self._command = [sys.executable, str(_ADBD), "--programs", found, "--home", str(folder)]
        self._command += more
        if arm:
            self._command = on_arm(folder / "arm", Path(found), self._command)

    @property
    def serial(self) -> str:
        """How adb calls it."""
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._adbd = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._port = int(self._line())
        if self._adb is not None:
            self._adb.ask("connect", self.serial)
            self._adb.await_state(self.serial, "device")
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        left = descendants(self._adbd.pid)
        self._adbd.kill()
        self._adbd.wait()
        send(left, signal.SIGKILL)
        if self._adb is not None:
            self._adb.ask("disconnect", self.serial)

    def unplug(self) -> None:
        """Pull its cable."""
        self._tell("unplug")

    def plug(self) -> None:
        """Put its cable in again."""
        self._tell("plug")

    def doubt(self) -> None:
        """Make it ask on its screen, from the next connection on, who is there."""
        self._tell("doubt")

    def trust(self) -> None:
        """Touch "Allow" on its screen."""
        self._tell("trust")

    def freeze(self) -> None:
        """Make it deaf, with its connection open."""
        self._adbd.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._adbd.send_signal(signal.SIGCONT)

    def running(self) -> list[int]:
        """Return the processes that it runs, adbd aside."""
        return descendants(self._adbd.pid)

    def _tell(self, happens: str) -> None:
        assert self._adbd.stdin is not None
        self._adbd.stdin.write(f"{happens}\n")
        assert self._line() == "done"

    def _line(self) -> str:
        assert self._adbd.stdout is not None
        return self._adbd.stdout.readline().strip()
