"""What a device is, read from the files of kernels that are not here."""

from __future__ import annotations

import os
import subprocess
import sys
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


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("50000 100000", 1)])
def test_a_quota_of_either_generation_limits_the_cores(
    tmp_path: Path, quota: str, cores: int
) -> None:
    unified, legacy = tmp_path / "cpu.max", tmp_path / "cpu"
    unified.write_text(quota)
    assert usable_cores((unified, legacy)) == cores
    unified.unlink()
    legacy.mkdir()
    granted, period = quota.split()
    (legacy / "cpu.cfs_quota_us").write_text(granted)
    (legacy / "cpu.cfs_period_us").write_text(period)
    assert usable_cores((unified, legacy)) == cores


def test_no_quota_leaves_the_affinity(tmp_path: Path) -> None:
    mine = len(os.sched_getaffinity(0))
    assert usable_cores((tmp_path / "a", tmp_path / "b")) == mine
    (tmp_path / "a").write_text("max 100000")
    assert usable_cores((tmp_path / "a", tmp_path / "b")) == mine
    (tmp_path / "a").write_text(f"{100000 * (mine + 5)} 100000")
    assert usable_cores((tmp_path / "a", tmp_path / "b")) == mine


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
