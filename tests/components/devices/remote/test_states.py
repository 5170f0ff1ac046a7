"""States: from what devices of several kinds show."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.devices.remote.raw_files import RawFiles, reading_script
from components.devices.remote.states import SCRIPT, fault_of, is_hot, state_of, waited_s
from tests.components.devices.remote.host_shell import KINDS, HostShell

CPU = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_{}"
PI = {
    "/proc/loadavg": "0.42 0.31 0.20 1/212 1871\n",
    "/proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "/proc/meminfo": "MemTotal:        8245696 kB\nMemAvailable:    7500000 kB\n",
    "/sys/class/thermal/thermal_zone0/temp": "51250\n",
    CPU.format(0, "cur_freq"): "1500000\n",
    CPU.format(1, "cur_freq"): "2400000\n",
    CPU.format(0, "max_freq"): "2400000\n",
    CPU.format(1, "max_freq"): "2400000\n",
    CPU.format(0, "governor"): "ondemand\n",
    CPU.format(1, "governor"): "ondemand\n",
    "vcgencmd get_throttled": "throttled=0x50000\n",
}
PHONE = {
    "/proc/loadavg": "5.10 5.00 4.90 2/3000 4711\n",
    "/sys/class/thermal/thermal_zone0/temp": "38000\n",
    "/sys/class/thermal/thermal_zone1/temp": "-274000\n",
    "/sys/class/thermal/thermal_zone2/temp": "400000\n",
    "dumpsys thermalservice": "IsStatusOverride: false\nThermal Status: 2\nCached temperatures:\n",
    "dumpsys battery": "Current Battery Service state:\n  AC powered: false\n"
    "  USB powered: true\n  status: 2\n  level: 87\n  technology: Li-ion\n",
    "dumpsys deviceidle get screen": "true\n",
    "settings get global low_power": "0\n",
}
LAPTOP = {
    "/sys/class/power_supply/AC/type": "Mains\n",
    "/sys/class/power_supply/BAT0/type": "Battery\n",
    "/sys/class/power_supply/BAT0/capacity": "55\n",
    "/sys/class/power_supply/BAT0/status": "Discharging\n",
}


def test_a_board() -> None:
    raw = RawFiles(PI, ())
    assert state_of(raw) == {
        "load_1min": 0.42,
        "memory_available_mb": 7680.0,
        "temperature_c": 51.25,
        "frequency_mhz": 1950,
        "max_frequency_mhz": 2400,
        "governor": "ondemand",
        "throttled_bits": 0x50000,
    }
    assert waited_s(raw) == 1.5
    assert not is_hot(state_of(raw))  # it was so once, and is no longer


def test_a_phone() -> None:
    state = state_of(RawFiles(PHONE, (CPU.format(0, "cur_freq"),)))
    assert state == {
        "load_1min": 5.1,
        "temperature_c": 38,
        "thermal_status": 2,
        "frequency_mhz": "denied",
        "battery_percent": 87,
        "charging": "on",
        "battery_saver": "off",
        "screen": "on",
    }
    assert is_hot(state)
    assert fault_of(state) is None  # heat passes


def test_a_laptop_and_one_that_says_nothing() -> None:
    assert state_of(RawFiles(LAPTOP, ())) == {"battery_percent": 55, "charging": "off"}
    assert state_of(RawFiles({}, ())) == {}
    assert waited_s(RawFiles({}, ())) is None


@pytest.mark.parametrize(
    ("told", "mended", "what"),
    [
        ({"settings get global low_power": "1"}, {"settings get global low_power": "0"}, "saves"),
        ({"dumpsys battery": "  level: 19\n"}, {"dumpsys battery": "  level: 21\n"}, "19 %"),
        ({"vcgencmd get_throttled": "throttled=0x50001"}, PI, "voltage"),
    ],
)
def test_no_measurement_begins_in_a_state_that_makes_it_slow(
    told: dict[str, str], mended: dict[str, str], what: str
) -> None:
    fault = fault_of(state_of(RawFiles(told, ())))
    assert fault is not None
    assert what in fault[0]
    assert fault_of(state_of(RawFiles(mended, ()))) is None


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_commands_are_read_by_any_shell(kind: str, tmp_path: Path) -> None:
    shell = HostShell(tmp_path, kind)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a1").write_text("no newline")
    (folder / "a2").write_text("two\nlines\n")
    (folder / "empty").touch()
    script = reading_script(
        (f"{folder}/a*", f"{folder}/empty", f"{folder}/none*"), ("uname -m", "no_such_tool --x")
    )
    raw = RawFiles.parse(shell.run(script).out)
    assert list(raw.texts) == [f"{folder}/a1", f"{folder}/a2", f"{folder}/empty", "uname -m"]
    assert raw.text(f"{folder}/a1") == "no newline"
    assert raw.text(f"{folder}/a2") == "two\nlines"
    assert raw.text(f"{folder}/empty") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_this_machine_tells_its_load(kind: str, tmp_path: Path) -> None:
    raw = RawFiles.parse(HostShell(tmp_path, kind).run(SCRIPT).out)
    state = state_of(raw)
    assert float(state["load_1min"]) >= 0
    assert (waited_s(raw) is not None) == Path("/proc/pressure/cpu").is_file()


def test_a_file_that_refuses_to_be_read_is_told(tmp_path: Path) -> None:
    """A file that only writes: /proc/self/clear_refs is there for everybody and read by nobody."""
    raw = RawFiles.parse(HostShell(tmp_path).run(reading_script(("/proc/$$/clear_refs",), ())).out)
    assert len(raw.denied) == 1
    assert raw.refused(r"/proc/\d+/clear_refs")
