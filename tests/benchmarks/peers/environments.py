"""An environment of its own for each peer, and programs that run in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.digests import digest

_INSTALLED = "installed.json"
_LISTING = (
    "import importlib.metadata as found, json; "
    "print(json.dumps({one.name: one.version for one in found.distributions()}))"
)
_TOLD = 6
"""Last lines of what a failed command said that are told."""


class PeerFailedError(Exception):
    """A peer that does not install or run: its result says so, and the others go on."""


@dataclass(frozen=True)
class Environment:
    """One that is installed.

    Attributes:
        python: Its interpreter.
        versions: Of all packages in it.
        install_s: How long that took.
    """

    python: Path
    versions: Mapping[str, str]
    install_s: float


def environment(root: Path, requirements: Sequence[str]) -> Environment:
    """Make the environment with these packages, or take the one that is there.

    Peers with equal requirements share one. What was broken off is made again.

    Args:
        root: Folder of all environments.
        requirements: As pip takes them.

    Raises:
        PeerFailedError: pip cannot install them.
    """
    folder = root / digest("environment", [sys.version, *sorted(requirements)])[:12]
    python, installed = folder / "bin" / "python", folder / _INSTALLED
    if not installed.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        began = time.monotonic()
        log = root / f"{folder.name}.log"
        root.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)], log)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
        run([*pip, "install", "--quiet", *requirements], log)
        versions = json.loads(run([str(python), "-I", "-c", _LISTING], log))
        content = {"versions": versions, "install_s": time.monotonic() - began}
        installed.write_text(json.dumps(content))
    found = json.loads(installed.read_text())
    return Environment(python, found["versions"], found["install_s"])


def run(command: Sequence[str], log: Path) -> str:
    """Run a command and return what it printed; all that it says also goes to a file.

    Raises:
        PeerFailedError: It ends with an error: its last lines.
    """
    done = subprocess.run(
        command,
        env=_variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        said = " / ".join(lines[-_TOLD:]) or "it said nothing"
        raise PeerFailedError(f"{_called(command)} ended with code {done.returncode}: {said}")
    return done.stdout


def _called(command: Sequence[str]) -> str:
    """Name a command as people know it: pip, or the program that runs."""
    if "pip" in command:
        return "pip install"
    return next((Path(word).name for word in command if word.endswith(".py")), command[-2])


def _variables() -> dict[str, str]:
    """Return the variables of this process without those that lead Python elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
