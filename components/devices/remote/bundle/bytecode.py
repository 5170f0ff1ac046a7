"""Bytecode: sources compiled by a Python of the same version as the one that loads them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.errors import UserError
from components.devices.remote.bundle.lock import PYTHON

if TYPE_CHECKING:
    # Sent as text, so never imported: but a change of it has to change what is cached.
    from components.devices.remote.bundle import compiling as compiling  # noqa: PLC0414 named, never used

COMPILING = Path(__file__).with_name("compiling.py")
_VERSION = "import sys; print('python%d.%d' % sys.version_info[:2])"

Tree = Mapping[str, bytes]
"""Content of files, by path."""


def with_bytecode(files: Tree, python: Sequence[str]) -> dict[str, bytes]:
    """Return files with the bytecode of each ``X.py`` in place of it.

    Args:
        files: Content by path.
        python: The command of a Python of the version that will load them.

    Raises:
        UserError: It did not compile them.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            if path.endswith(".py"):
                place = Path(folder, path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        # The seed: the order of a set of words in a constant would be another each time.
        done = subprocess.run(
            [*python, "-S", "-s", "-W", "ignore", "-", folder],
            input=COMPILING.read_bytes(),
            env={"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise UserError(
                f"{' '.join(python)} did not compile what goes to devices: {said[-1]}",
                f"check that {PYTHON} works on this machine, or remove it",
            )
        made = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in Path(folder).rglob("*.pyc")
        }
    return made | {path: content for path, content in files.items() if not path.endswith(".py")}


def compiler(unpacked: Callable[[str, Path], Sequence[str]], folder: Path) -> Sequence[str]:
    """Return the command of a Python of the bundle's version on this machine.

    Args:
        unpacked: Unpacks the bundle's own Python for an architecture into a folder, and returns
            its command.
        folder: Where, if need be.

    Raises:
        UserError: There is none, and none that could be unpacked would run here.
    """
    if "python{}.{}".format(*sys.version_info) == PYTHON:
        return [sys.executable]
    found = shutil.which(PYTHON)
    if found and _says(found) == PYTHON:
        return [found]
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        raise UserError(
            f"what goes to devices without Python is compiled by {PYTHON}, which is not here",
            f"install {PYTHON} on this machine, so that `{PYTHON}` starts it",
        )
    return unpacked(platform.machine(), folder)


def _says(program: str) -> str:
    done = subprocess.run(
        [program, "-S", "-s", "-c", _VERSION],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
