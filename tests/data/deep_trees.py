"""Folders nested deeper, or under longer names, than paths can say."""

import os
import subprocess
from pathlib import Path

LONG = "n" * 250


def dig(folder: Path, depth: int, name: str = "d") -> None:
    """Nest ``depth`` folders called ``name`` under ``folder``, with a file in the deepest."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=handle))
    os.close(handle)


def clear(folder: Path) -> None:
    """Empty a folder of whatever is in it, before pytest tries to, which is recursive."""
    subprocess.run(["rm", "-rf", *folder.iterdir()], check=True)
