"""Sensors of energy: which of those that a device shows is read, what it says, and why none is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from components.devices.power import MeterError
from components.devices.remote.energy_sensor import EnergySensor
from components.devices.remote.energy_sensors import files_of, sensor_in
from components.devices.remote.phone_energy import COMMANDS
from components.devices.remote.raw_files import RawFiles, reading_script
from tests.components.devices.remote.host_shell import HostShell
from tests.components.devices.remote.sysfs import JETSON, PHONE, PIXEL, written


def raw_of(tmp_path: Path, files: Mapping[str, str], **said: str) -> RawFiles:
    """Read a tree as it is read on a device, with what tools there would say."""
    root = written(tmp_path / "sys", files)
    shell = HostShell(tmp_path)
    raw = RawFiles.parse(shell.run(reading_script(files_of(root), COMMANDS)).out)
    asked = {"battery": COMMANDS[1], "power": COMMANDS[0]}
    return RawFiles({**raw.texts, **{asked[key]: text for key, text in said.items()}}, raw.denied)


def sensor_of(raw: RawFiles) -> EnergySensor:
    found = sensor_in(raw)
    assert isinstance(found, EnergySensor), found
    return found


def watts_of(raw: RawFiles) -> tuple[str, float]:
    sensor = sensor_of(raw)
    assert sensor.watts
    return sensor.scope, sensor.watts(raw)


def test_of_a_jetson_the_rail_that_feeds_all_is_read_and_no_other(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, JETSON)
    assert watts_of(raw) == ("board", pytest.approx(10.0))
    assert [Path(file).name for file in sensor_of(raw).files] == ["in1_input", "curr1_input"]


def test_a_chip_that_tells_power_itself_is_asked_for_that(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, {**JETSON, "class/hwmon/hwmon1/power1_input": "9500000"})
    assert watts_of(raw) == ("board", pytest.approx(9.5))


@pytest.mark.parametrize("power", [{"in_power0_input": "3200"}, {}])
def test_an_older_jetson_has_its_rails_elsewhere(tmp_path: Path, power: dict[str, str]) -> None:
    chip = "bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    files = {
        "rail_name_0": "POM_5V_IN", "in_voltage0_input": "5000", "in_current0_input": "640",
        "rail_name_1": "POM_5V_GPU", "in_power1_input": "1000", **power,
    }  # fmt: skip
    raw = raw_of(tmp_path, {f"{chip}/{name}": text for name, text in files.items()})
    assert watts_of(raw) == ("board", pytest.approx(3.2))


def test_parts_of_a_board_are_not_added_up(tmp_path: Path) -> None:
    parts = {**JETSON, "class/hwmon/hwmon1/in1_label": "VDD_GPU_SOC"}
    assert sensor_in(raw_of(tmp_path, parts)) == (
        "not available: VDD_CPU_GPU_CV, VDD_GPU_SOC, VDD_SOC are parts of the board, and no rail "
        "is the whole of it"
    )


def test_packages_are_added_up_and_begin_anew_where_they_are_full(tmp_path: Path) -> None:
    zone = "class/powercap/intel-rapl:{}/{}".format
    files = {
        zone(0, "energy_uj"): "900000", zone(0, "max_energy_range_uj"): "999999",
        zone(1, "energy_uj"): "0", zone(1, "max_energy_range_uj"): "999999",
        zone("0:0", "energy_uj"): "5", zone("0:0", "max_energy_range_uj"): "999999",
    }  # fmt: skip
    before = raw_of(tmp_path, files)
    sensor = sensor_of(before)
    assert sensor.scope == "CPU package"
    assert sensor.joules
    assert len(sensor.files) == 2
    assert sensor.joules(before) == 0
    after = raw_of(tmp_path, {zone(0, "energy_uj"): "100000", zone(1, "energy_uj"): "500000"})
    assert sensor.joules(after) == pytest.approx(0.7)


def test_counters_for_root_alone_are_named() -> None:
    file = "/sys/class/powercap/intel-rapl:0/energy_uj"
    assert sensor_in(RawFiles({}, (file,))) == f"not available: root alone may read {file} there"


def test_of_a_pixel_the_rails_of_its_cores_are_read_also_on_a_cable(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, {**PIXEL, **PHONE}, battery="  USB powered: true\n  level: 80")
    sensor = sensor_of(raw)
    assert sensor.scope == "CPU rails (S2M_VDD_CPUCL2, S3M_VDD_CPUCL1, S4M_VDD_CPUCL0)"
    assert sensor.joules
    assert sensor.joules(raw) == pytest.approx(158.0)
    with pytest.raises(MeterError, match="S2M_VDD_CPUCL2 was no longer told"):
        sensor.joules(RawFiles({}, ()))


def test_what_its_kernel_does_not_show_the_service_of_a_pixel_tells(tmp_path: Path) -> None:
    told = """
============= PowerStats HAL 2.0 energy meter ==============
                         Channel    Cumulative Energy
            [VSYS_PWR_MODEM]:Modem         48480.31 mWs
           [S2M_VDD_CPU2]:CPU(BIG)         28000.00 mWs
        [S3M_VDD_CPU1]:CPU(MEDIUM)         17000.00 mWs
         [S12M_VDD_CPU1_M]:CPU_MEM          1000.50 mWs
========== End of PowerStats HAL 2.0 energy meter ==========
"""
    raw = raw_of(tmp_path, PHONE, power=told)
    sensor = sensor_of(raw)
    assert sensor.scope == "CPU rails (S12M_VDD_CPU1_M, S2M_VDD_CPU2, S3M_VDD_CPU1)"
    assert sensor.commands == ("dumpsys android.hardware.power.stats.IPowerStats/default",)
    assert sensor.joules
    assert sensor.joules(raw) == pytest.approx(46.0005)


def test_a_battery_is_the_whole_phone(tmp_path: Path) -> None:
    assert watts_of(raw_of(tmp_path, PHONE)) == ("whole phone", pytest.approx(2.0))
    plain = raw_of(tmp_path, {"class/power_supply/battery/current_now": "500000"})
    assert watts_of(plain)[1] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("online", "battery", "charges"),
    [
        ("1", "", True),
        ("0", "  AC powered: false\n  USB powered: true\n  status: 4\n", True),
        ("0", "  AC powered: false\n  USB powered: false\n", False),
        ("1", "  (UPDATES STOPPED -- use 'reset' to restart)\n  USB powered: false\n", True),
    ],
)
def test_a_phone_on_its_cable_has_no_energy(
    tmp_path: Path, online: str, battery: str, charges: bool
) -> None:
    files = {**PHONE, "class/power_supply/usb/online": online}
    raw = raw_of(tmp_path, files, battery=battery)
    if charges:
        assert sensor_in(raw) == "not available: the phone charges over its cable"
        unplugged = sensor_of(raw_of(tmp_path, PHONE))
        assert unplugged.watts
        with pytest.raises(MeterError, match="charges over its cable"):
            unplugged.watts(raw)  # it was plugged in meanwhile
    else:
        assert watts_of(raw) == ("whole phone", pytest.approx(2.0))


def test_a_battery_that_tells_milliamperes_is_not_believed(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, {**PHONE, "class/power_supply/battery/current_now": "-500"})
    with pytest.raises(MeterError, match="another unit than microamperes"):
        watts_of(raw)


def test_a_device_without_any_says_so(tmp_path: Path) -> None:
    assert sensor_in(raw_of(tmp_path, {"class/hwmon/hwmon0/name": "coretemp"})) == (
        "not available: the device shows no counter of energy"
    )
    battery = "/sys/class/power_supply/battery/"
    denied = RawFiles({f"{battery}type": "Battery"}, (f"{battery}current_now",))
    assert sensor_in(denied) == f"not available: {battery}current_now may not be read there"
