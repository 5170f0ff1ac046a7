"""Vela: what Arm's compiler for Ethos-U accelerators reckons that a model takes there.

It runs as a program, whether it is installed beside slimline or somewhere on PATH: what it is built
from need not fit what slimline is.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from components.artifacts.estimate import CycleEstimate
from components.contract.extras import not_installed
from components.devices.accelerators import Accelerator

PACKAGE, EXTRA, PROGRAM = "ethos-u-vela", "vela", "vela"
_LIMIT_S = 600.0
_KIB = 1024
_COUNTS = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)


def vela_program() -> str:
    """Return the path of the program.

    Raises:
        UserError: It is not installed.
    """
    beside = Path(sys.executable).parent / PROGRAM
    found = str(beside) if beside.is_file() else shutil.which(PROGRAM)
    if found is None:
        raise not_installed("estimate", PACKAGE, EXTRA)
    return found


def estimate_cycles(file: Path, accelerator: Accelerator) -> CycleEstimate:
    """Ask Vela what a model takes, for the system that it takes for granted by itself.

    Args:
        file: The ``.tflite``.
        accelerator: Which one.

    Raises:
        UserError: It is not installed.
    """
    program = vela_program()
    version = _answer([program, "--version"]).stdout.strip()
    none = CycleEstimate(PACKAGE, version, accelerator)
    with tempfile.TemporaryDirectory() as folder:
        command = [program, str(file), "--accelerator-config", accelerator, "--output-dir", folder]
        try:
            said = _answer(command)
        except subprocess.TimeoutExpired:
            return _without(none, f"{PACKAGE} was not done in {_LIMIT_S:g} s")
        tables = sorted(Path(folder).glob("*_summary_*.csv"))
        if said.returncode != 0 or not tables:
            lines = [line.strip() for line in said.stderr.splitlines() if line.strip()]
            return _without(none, f"{PACKAGE} refused it: {lines[-1] if lines else 'no reason'}")
        with tables[0].open(newline="") as table:
            (row,) = csv.DictReader(table)
    counts = {name: int(count) for name, count in _COUNTS.findall(said.stdout)}
    if not counts.get("NPU"):
        return _without(none, "nothing in it runs on the accelerator, which takes int8 files alone")
    return CycleEstimate(
        tool=PACKAGE,
        version=version,
        accelerator=accelerator,
        system=row["system_config"],
        memory_mode=row["memory_mode"],
        cycles=round(float(row["cycles_total"])),
        clock_mhz=float(row["core_clock"]) / 1e6,
        ms=1e3 * float(row["inference_time"]),
        sram_bytes=round(_KIB * float(row["sram_memory_used"])),
        accelerated=counts["NPU"],
        others=counts.get("CPU", 0),
    )


def _without(estimate: CycleEstimate, why_not: str) -> CycleEstimate:
    return CycleEstimate(estimate.tool, estimate.version, estimate.accelerator, why_not=why_not)


def _answer(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
