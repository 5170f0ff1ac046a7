"""A Shell over this machine: the framing, the scripts and a POSIX shell are real, nothing between.

``HostShell(tmp_path)`` uses dash; ``HostShell(tmp_path, "mksh")`` is Android's shell with toybox
alone, ``HostShell(tmp_path, "busybox")`` that of small boards, with busybox alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.devices.remote import pushing
from components.devices.remote.client import Silence, converse
from components.devices.remote.framing import Frame
from components.devices.remote.shell import ShellAnswer

KINDS = ("sh", "mksh", "busybox")
_NEEDS = {"sh": ("sh",), "mksh": ("mksh", "toybox"), "busybox": ("busybox",)}


def programs(folder: Path, kind: str) -> Mapping[str, str]:
    """Return the environment in which nothing but one kind of shell and its programs is found.

    Args:
        folder: Is filled with links to the programs, unless it is there.
        kind: Of ``KINDS``; a test skips where its packages are not installed.
    """
    for program in _NEEDS[kind]:
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}: .ci/devices install")
    if kind == "sh":
        return {"PATH": os.defpath, "HOME": str(folder)}
    if not folder.is_dir():
        folder.mkdir(parents=True)
        box = shutil.which("toybox" if kind == "mksh" else "busybox")
        shell = shutil.which("mksh" if kind == "mksh" else "busybox")
        assert box is not None
        assert shell is not None
        # busybox lists its programs one a line, toybox several.
        listed = subprocess.run([box, *(["--list"] if kind == "busybox" else [])],
                                capture_output=True, text=True, check=True)  # fmt: skip
        for name in {*listed.stdout.split()} - {"sh"}:
            (folder / name).symlink_to(box)
        (folder / "sh").symlink_to(shell)
    return {"PATH": str(folder), "HOME": str(folder)}


class HostShell:
    """A Shell over a subprocess of this machine.

    Args:
        folder: Of the test; programs are linked in it.
        kind: Of ``KINDS``.
        name: Of the device.
    """

    def __init__(self, folder: Path, kind: str = "sh", name: str = "host-shell") -> None:
        self.name = name
        self.environment = programs(folder / f"programs-{kind}", kind)

    def run(
        self,
        script: str,
        *args: str,
        data: bytes | None = None,
        hold: bool = False,
        limit_s: float = 60.0,
    ) -> ShellAnswer:
        """Run a script, as ``Shell`` promises."""
        frame = Frame(script, args)
        sh = shutil.which("sh", path=self.environment["PATH"])
        assert sh is not None
        said = converse(
            [sh, "-c", frame.command],
            frame,
            data=data,
            hold=hold,
            limit_s=limit_s,
            environment=self.environment,
        )
        if isinstance(said, Silence):
            raise said.loss(self.name, limit_s)
        return said

    def push(self, local: Path, remote: str) -> None:
        """Bring a file there, as ``Shell`` promises."""
        pushing.push(self, local, remote, self.name)

    def close(self) -> None:
        """Nothing is open."""
