"""What a device's Python tells of the disk that is to be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import SshSettings
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.components.devices.remote.linked_runtime import PYTHON
from tests.data.disks import mounted


@pytest.fixture
def noexec_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk from which nothing may be run."""
    with mounted(tmp_path / "disk", "size=2m,noexec") as folder:
        yield folder


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
