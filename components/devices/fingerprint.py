"""What a device is, and what state it is in: a latency means nothing without the first.

The standard library alone, so that the key of a step can hold a fingerprint without the runtime.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

RUNTIME = "ai-edge-litert"
_CPUINFO = Path("/proc/cpuinfo")
_BOARD = Path("/proc/device-tree/model")
_THERMAL = Path("/sys/class/thermal")
_CPUFREQ = Path("/sys/devices/system/cpu")
_QUOTAS = (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu"))


def fingerprint() -> dict[str, str]:
    """Return what makes two measurements comparable: what does not change while a device runs.

    Returns:
        cpu (its name), cores (those this process may use), arch, kernel, and runtime (version, or
        "absent").
    """
    return {
        "cpu": cpu_name(),
        "cores": str(usable_cores()),
        "arch": platform.machine(),
        "kernel": platform.release(),
        "runtime": runtime_version(),
    }


def runtime_version() -> str:
    """Return the version of the runtime that is installed, or "absent"; it is not imported."""
    try:
        return metadata.version(RUNTIME)
    except metadata.PackageNotFoundError:
        return "absent"


def runtime() -> dict[str, str]:
    """Return name and version of the runtime."""
    return {"name": RUNTIME, "version": runtime_version()}


def cpu_name(cpuinfo: Path = _CPUINFO, board: Path = _BOARD) -> str:
    """Return the processor's name, with the board's where the kernel knows it.

    ARM kernels give no name but implementer and part numbers, which tell cores apart as well.
    """
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    fields = [(key.strip().lower(), value.strip()) for key, _, value in
              (line.partition(":") for line in lines)]  # fmt: skip
    names = dict.fromkeys(value for key, value in fields if key in ("model name", "hardware"))
    parts = dict.fromkeys(value for key, value in fields if key == "cpu part")
    makers = dict.fromkeys(value for key, value in fields if key == "cpu implementer")
    found = [*names]
    if not names and parts:
        found = [f"implementer {'/'.join(makers)} part {'/'.join(parts)}"]
    if board.is_file():
        found.insert(0, board.read_text(errors="replace").strip("\0\n "))
    return ", ".join(found) or platform.processor() or platform.machine()


def usable_cores(quotas: tuple[Path, Path] = _QUOTAS) -> int:
    """Return how many cores this process may keep busy: its affinity, or less by quota."""
    cores = len(os.sched_getaffinity(0))
    quota = _quota(*quotas)
    return cores if quota is None else max(1, min(cores, int(quota)))


def _quota(unified: Path, legacy: Path) -> float | None:
    """Return the cores that the control group grants (either generation), or None for no limit."""
    if unified.is_file():
        granted, period = unified.read_text().split()[:2]
        return None if granted == "max" else int(granted) / int(period)
    files = legacy / "cpu.cfs_quota_us", legacy / "cpu.cfs_period_us"
    if all(file.is_file() for file in files):
        granted_us, period_us = (int(file.read_text()) for file in files)
        return None if granted_us <= 0 else granted_us / period_us
    return None


def state(thermal: Path = _THERMAL, cpufreq: Path = _CPUFREQ) -> Mapping[str, float | str]:
    """Return what changes while a device runs, as far as it can be read.

    Returns:
        ``load_1min``; ``temperature_c`` (hottest zone), ``frequency_mhz`` (mean of the cores) and
        ``governor`` where the kernel tells them: virtual machines mostly do not.
    """
    found: dict[str, float | str] = {"load_1min": os.getloadavg()[0]}
    zones = [_number(path) for path in sorted(thermal.glob("thermal_zone*/temp"))]
    if known := [zone for zone in zones if zone is not None]:
        found["temperature_c"] = max(known) / 1000
    clocks = [_number(path) for path in sorted(cpufreq.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))]
    if known := [clock for clock in clocks if clock is not None]:
        found["frequency_mhz"] = sum(known) / len(known) / 1000
    governor = cpufreq / "cpu0/cpufreq/scaling_governor"
    if governor.is_file():
        found["governor"] = governor.read_text().strip()
    return found


def _number(path: Path) -> float | None:
    """Return the number in a kernel file; a zone that is switched off raises on reading."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None
