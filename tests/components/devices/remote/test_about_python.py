"""What a device's Python tells of the disk that is to be written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import SshSettings
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.components.devices.remote.linked_runtime import PYTHON


@pytest.fixture
def noexec_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk from which nothing may be run."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m,noexec", "none", str(place)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no disk can be made here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_from_which_nothing_may_be_run_is_refused(kind, noexec_disk, tmp_path):
    shell = HostShell(tmp_path, kind, name="pi5")

    def look(folder: Path) -> None:
        settings = SshSettings(host="pi", python=PYTHON, dir=str(folder))
        RemoteDevice("ssh", "pi5", shell, settings, transport="ssh", address="pi").look()

    with pytest.raises(UserError, match="mounted with noexec") as caught:
        look(noexec_disk / "slimline")
    assert "set `dir` of pi5" in caught.value.fix
    look(tmp_path / "slimline")  # the fix
    assert list(noexec_disk.iterdir()) == []
