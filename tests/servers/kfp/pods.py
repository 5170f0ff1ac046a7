"""What runs a step: a process of this machine, or a container of our images."""

from __future__ import annotations

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.devices.remote.jump import KEYS_VARIABLE

ROOT = Path(__file__).parents[3]


@dataclass
class Pod(ABC):
    """Runs one command with the mounts of a task, which are below ``folder``."""

    folder: Path

    def mount(self, path: str) -> Path:
        """Return where on this machine the container finds ``path``."""
        return self.folder / path.lstrip("/")

    @abstractmethod
    def run(
        self, image: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> int:
        """Run to the end, write what it prints, and return the exit code."""


class ProcessPod(Pod):
    """A process of this machine, its mounts and its /tmp below its folder.

    It understands the entry points of our images alone: see ``tests.servers.kfp.mounted``.
    """

    def run(
        self, image: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> int:
        assert list(command[:2]) == ["python", "-m"], command
        entry = [sys.executable, "-m", "tests.servers.kfp.mounted", str(self.folder), *command[2:]]
        told = dict(environment)
        if keys := told.get(KEYS_VARIABLE):
            told[KEYS_VARIABLE] = str(self.mount(keys))
        return _printing(entry, log, {**os.environ, **told})


class ContainerPod(Pod):
    """A container of our images, which are not changed at all."""

    def run(
        self, image: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> int:
        for name in ("gcs", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(0o777)  # as an emptyDir, which any user of the pod writes to
        volumes = [f"--volume={self.folder}/{name}:/{name}" for name in ("gcs", "tmp")]
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        program, *arguments = command
        started = ["docker", "run", "--rm", "--network=none", f"--entrypoint={program}"]
        return _printing([*started, *volumes, *variables, image, *arguments], log, None)


def _printing(command: Sequence[str], log: Path, environment: Mapping[str, str] | None) -> int:
    made = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False,
    )  # fmt: skip
    keep(made.stdout, log)
    return made.returncode


def keep(printed: bytes, log: Path) -> None:
    """Write what a step printed to its log and to ours, as the launcher's writer has it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(printed)
    sys.stderr.write(printed.decode(errors="replace"))
