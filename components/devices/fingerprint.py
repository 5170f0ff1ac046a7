"""What a device is, and what state it is in: a latency means nothing without the first.

The standard library alone, so that the key of a step can hold a fingerprint without the runtime.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

RUNTIME = "ai-edge-litert"
_CPUINFO = Path("/proc/cpuinfo")
_BOARD = Path("/proc/device-tree/model")
_THERMAL = Path("/sys/class/thermal")
_CPUFREQ = Path("/sys/devices/system/cpu")
_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


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
    return processor_in(
        cpuinfo.read_text(errors="replace") if cpuinfo.is_file() else "",
        board.read_text(errors="replace") if board.is_file() else "",
    ) or (platform.processor() or platform.machine())


def processor_in(cpuinfo: str, board: str) -> str:
    """Return the processor's name in these texts of any machine's kernel, or nothing.

    Args:
        cpuinfo: ``/proc/cpuinfo``.
        board: ``/proc/device-tree/model``, empty where there is none.
    """
    fields = [(key.strip().lower(), value.strip()) for key, _, value in
              (line.partition(":") for line in cpuinfo.splitlines())]  # fmt: skip
    names = dict.fromkeys(value for key, value in fields if key in ("model name", "hardware"))
    parts = dict.fromkeys(value for key, value in fields if key == "cpu part")
    makers = dict.fromkeys(value for key, value in fields if key == "cpu implementer")
    found = [*names]
    if not names and parts:
        found = [f"implementer {'/'.join(makers)} part {'/'.join(parts)}"]
    if board:
        found.insert(0, board.strip("\0\n "))
    return ", ".join(found)


def usable_cores(groups: Path = _GROUPS, membership: Path = _MEMBERSHIP) -> int:
    """Return how many cores this process may keep busy: its affinity, or less by quota.

    A control group is bound by the quotas of all groups above it, too: that of a systemd service
    (``CPUQuota``) stands in a group far below the root, that of a container often at the root that
    it sees.

    Args:
        groups: Where the control groups are mounted.
        membership: Which groups this process is in, as ``/proc/PID/cgroup`` lists them.
    """
    cores = len(os.sched_getaffinity(0))
    quotas = [quota for group in _above(groups, membership) if (quota := _quota(group))]
    return max(1, min(cores, int(min(quotas, default=cores))))


def _above(groups: Path, membership: Path) -> Iterator[Path]:
    """Yield the folders of all control groups, of either generation, that bind this process."""
    lines = membership.read_text().splitlines() if membership.is_file() else ["0::/"]
    for line in lines:
        _, controllers, name = line.split(":", 2)
        named = controllers.split(",")
        if controllers and "cpu" not in named:
            continue
        mounts = ("cpu", controllers) if controllers else ("", "unified")
        parts = [part for part in name.split("/") if part not in ("", "..")]
        for mount in {groups / place for place in mounts}:
            yield from (mount.joinpath(*parts[:count]) for count in range(len(parts) + 1))
            # In a container the mount may begin somewhere along the name.
            for start in range(1, len(parts)):
                below = range(start + 1, len(parts) + 1)
                yield from (mount.joinpath(*parts[start:end]) for end in below)


def _quota(group: Path) -> float | None:
    """Return the cores that one control group grants, or None for no limit."""
    try:
        granted, period = (group / "cpu.max").read_text().split()[:2]
    except OSError:
        try:
            granted = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    if granted == "max" or int(granted) <= 0:
        return None
    return int(granted) / int(period)


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
