"""What a device is, read from the files of kernels that are not here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.devices.fingerprint import cpu_name, fingerprint, runtime, state, usable_cores

INTEL = (
    "processor\t: 0\nmodel name\t: Intel(R) N100\n\nprocessor\t: 1\nmodel name\t: Intel(R) N100\n"
)
ARM = (
    "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
    "processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd0a\n\n"
)


def test_a_fingerprint_is_text_and_does_not_change() -> None:
    found = fingerprint()
    assert list(found) == ["cpu", "cores", "arch", "kernel", "runtime"]
    assert all(isinstance(value, str) and value for value in found.values())
    assert found == fingerprint()
    assert runtime()["version"] == found["runtime"] != "absent"


def test_a_fingerprint_takes_the_standard_library_alone() -> None:
    code = (
        "import sys; from components.devices.fingerprint import fingerprint; fingerprint();"
        "print(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)))"
    )
    root = Path(__file__).parents[3]
    told = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "['__main__', 'components']"


@pytest.mark.parametrize(
    ("text", "board", "name"),
    [
        (INTEL, None, "Intel(R) N100"),
        (ARM, None, "implementer 0x41 part 0xd05/0xd0a"),
        (ARM, "Raspberry Pi 5\0", "Raspberry Pi 5, implementer 0x41 part 0xd05/0xd0a"),
        (ARM + "Hardware\t: BCM2711\n", None, "BCM2711"),
    ],
)
def test_a_processor_has_a_name(tmp_path: Path, text: str, board: str | None, name: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    if board:
        (tmp_path / "model").write_text(board)
    assert cpu_name(tmp_path / "cpuinfo", tmp_path / "model") == name


SERVICE = "system.slice/train.service"
"""A control group as systemd makes it: ``CPUQuota`` stands there, or above it."""


def unified_quota(group: Path, quota: str) -> None:
    group.mkdir(parents=True, exist_ok=True)
    (group / "cpu.max").write_text(f"{quota} 100000\n")


def legacy_quota(group: Path, quota: str) -> None:
    group.mkdir(parents=True, exist_ok=True)
    (group / "cpu.cfs_quota_us").write_text("-1\n" if quota == "max" else f"{quota}\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")


@pytest.fixture
def cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Cores of a process of 8 by affinity, under the groups in ``tmp_path``."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    def of(membership: str) -> int:
        (tmp_path / "membership").write_text(membership)
        return usable_cores(tmp_path, tmp_path / "membership")

    return of


@pytest.mark.parametrize("group", ["", "system.slice", SERVICE])
@pytest.mark.parametrize(("quota", "expected"), [("300000", 3), ("50000", 1), ("max", 8)])
@pytest.mark.parametrize(
    ("mount", "write", "line"),
    [
        ("", unified_quota, "0::/{}\n"),
        ("unified", unified_quota, "0::/{}\n"),
        ("cpu", legacy_quota, "4:memory:/other\n3:cpu,cpuacct:/{}\n0::/\n"),
        ("cpu,cpuacct", legacy_quota, "3:cpu,cpuacct:/{}\n"),
    ],
)
def test_the_quota_of_every_group_above_limits_the_cores(
    cores, tmp_path: Path, group: str, quota: str, expected: int, mount: str, write, line: str
) -> None:
    write(tmp_path / mount / group, quota)
    assert cores(line.format(SERVICE)) == expected


def test_the_smallest_quota_counts_and_that_of_another_group_does_not(
    cores, tmp_path: Path
) -> None:
    unified_quota(tmp_path / "system.slice", "600000")
    unified_quota(tmp_path / SERVICE, "400000")
    unified_quota(tmp_path / "system.slice" / "other.service", "100000")
    assert cores(f"0::/{SERVICE}\n") == 4


def test_in_a_container_the_tree_begins_at_its_own_group(cores, tmp_path: Path) -> None:
    legacy_quota(tmp_path / "cpu", "200000")
    assert cores("3:cpu:/docker/0123\n") == 2
    unified_quota(tmp_path / "inner", "100000")
    assert cores("0::/docker/0123/inner\n") == 1


def test_no_quota_leaves_the_affinity(cores, tmp_path: Path) -> None:
    assert cores("") == 8
    assert usable_cores(tmp_path / "absent", tmp_path / "absent") == 8
    unified_quota(tmp_path, str(100_000 * 13))
    assert cores("0::/\n") == 8


def test_temperature_and_clock_are_told_where_the_kernel_does(tmp_path: Path) -> None:
    for zone, text in (("thermal_zone0", "41000"), ("thermal_zone1", "55500"),
                       ("thermal_zone2", "off")):  # fmt: skip
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "temp").write_text(text)
    for core, text in (("cpu0", "1000000"), ("cpu1", "2000000")):
        (tmp_path / core / "cpufreq").mkdir(parents=True)
        (tmp_path / core / "cpufreq" / "scaling_cur_freq").write_text(text)
    (tmp_path / "cpu0" / "cpufreq" / "scaling_governor").write_text("schedutil\n")
    found = state(tmp_path, tmp_path)
    assert found.pop("load_1min") == pytest.approx(os.getloadavg()[0], abs=5)
    assert found == {"temperature_c": 55.5, "frequency_mhz": 1500.0, "governor": "schedutil"}


def test_a_virtual_machine_tells_neither(tmp_path: Path) -> None:
    assert set(state(tmp_path, tmp_path)) == {"load_1min"}
