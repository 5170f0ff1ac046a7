"""Counters of energy: read where they can be, with the reason where not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components.devices.power import EnergyReading, MeterError, Powercap, Recording, powercap


def zone(root: Path, name: str, uj: int, full: int = 999_999) -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{full}\n")
    return folder


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0", "intel-rapl-mmio:0"):
        zone(tmp_path, name, 0)
    meter = powercap(tmp_path)
    assert isinstance(meter, Powercap)
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0", "intel-rapl-mmio:0"):
        zone(tmp_path, name, 500_000)
    assert meter.reading().joules == 1.0
    assert meter.scope == "CPU package"


def test_a_counter_that_is_full_begins_anew(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 900_000)
    meter = powercap(tmp_path)
    assert isinstance(meter, Powercap)
    zone(tmp_path, "intel-rapl:0", 100_000)
    assert meter.reading().joules == pytest.approx(0.2)


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    assert "virtual machines have none" in str(powercap(tmp_path / "absent"))
    folder = zone(tmp_path, "intel-rapl:0", 1)
    (folder / "energy_uj").write_text("nothing")
    assert "cannot be read" in str(powercap(tmp_path))


def test_a_counter_for_root_alone_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, "intel-rapl:0", 1)

    def refused(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refused)  # root, as whom tests may run, reads them all
    assert str(powercap(tmp_path)).startswith("not available: root alone may read")


class Steady:
    """Twelve watts, always."""

    scope, look_s = "CPU package", 0.001

    def reading(self) -> EnergyReading:
        return EnergyReading(time.monotonic(), 12.0 * time.monotonic())


def test_a_recording_tells_the_energy_between_any_two_moments() -> None:
    with Recording(Steady(), look_s=0.01) as recording:
        start_s = recording.mark()
        time.sleep(0.1)
        end_s = recording.mark()
    assert recording.between(start_s, end_s) == pytest.approx(12 * (end_s - start_s), rel=0.05)


class Failing(Steady):
    """Cannot be read after a while."""

    def __init__(self) -> None:
        self.left = 3

    def reading(self) -> EnergyReading:
        self.left -= 1
        if self.left < 0:
            raise MeterError("no longer there")
        return super().reading()


def test_what_fails_beside_is_told_to_whoever_asks() -> None:
    with Recording(Failing(), look_s=0.01) as recording:
        time.sleep(0.2)
        with pytest.raises(MeterError, match="no longer there"):
            recording.mark()
