"""Disks that are full while a run writes: said, nothing is half kept, and with room it ends well."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

from tests.faults.prepared import CHEAP, Prepared, command
from tests.faults.row import Row

_TOO_LITTLE = 50_000
"""Bytes in which what the steps write has no room for certain."""


def full_disks(prepared: Prepared, chance: random.Random, tries: int) -> Row:
    """Run on a store whose disk has room for a part of what is written.

    Mounting a small disk needs root; without, the row says that it was not tried.
    """
    row = Row("full disk", "said with its fix, exit 2; with room again the next run is done")
    began = time.monotonic()
    for number in range(tries):
        folder = prepared.copy(*CHEAP)
        disk = folder / "store"
        whole = folder / "whole"
        disk.rename(whole)
        disk.mkdir()
        size_bytes = sum(path.stat().st_size + 4096 for path in whole.rglob("*")) + (4 << 20)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(disk)]
        if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
            return row
        try:
            shutil.copytree(whole, disk, dirs_exist_ok=True)
            most_bytes = 4 * _TOO_LITTLE if number % 2 else _TOO_LITTLE
            _try(prepared, row, folder, disk, chance.randrange(most_bytes))
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
    row.seconds = time.monotonic() - began
    row.demand("said")
    return row


def _try(prepared: Prepared, row: Row, folder: Path, disk: Path, free_bytes: int) -> None:
    stat = os.statvfs(disk)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - free_bytes)
    said = command(folder, prepared.arguments)
    ballast.unlink()
    again = command(folder, prepared.arguments)
    fault = said.fault or prepared.fault_of_end(folder, again)
    if not fault and said.code == 0:
        fault = "" if free_bytes > _TOO_LITTLE else "ended as if there were room"
    elif not fault and "full" not in said.error:
        fault = f"exit code {said.code} without a word of the disk: {said.error[-300:]!r}"
    if fault:
        row.broke(f"{free_bytes} bytes free: {fault}")
    else:
        row.kept("said" if said.code else "there was room")
