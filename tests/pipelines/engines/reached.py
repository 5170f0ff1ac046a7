"""Configurations with a board: a real sshd on this machine, which ssh reaches as ``pi5``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components.devices.remote.linked_runtime import PYTHON
from tests.servers.phone.usb_faults import UsbFaults
from tests.servers.sshd import HOST, Sshd

BOARD = {
    "kind": "ssh", "host": HOST, "name": "board", "python": PYTHON, "cooldown_s": 0.1,
    "processes": 1, "blocks": 3, "block_ms": 1.0, "warm_up_ms": 1.0, "resamples": 50,
}  # fmt: skip
"""A section of ``devices`` that measures as little as it can."""


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """The board, with a home of its own below the folder of the test."""
    home = tmp_path / "home"
    home.mkdir()
    with Sshd(
        tmp_path / "sshd", environment={"PATH": "/usr/bin:/bin", "HOME": str(home)}
    ) as server:
        monkeypatch.setenv("PATH", str(server.programs), prepend=":")
        yield server


@pytest.fixture
def no_phones(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An adb server that lists none, in place of the one that adb would start here and leave."""
    with UsbFaults("") as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        yield
