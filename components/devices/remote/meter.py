"""Meter: the energy that a device behind a shell takes, asked from here while something runs there.

Raw files alone come over. Asking costs the device a little, in idle windows as much as in loaded
ones.
"""

from __future__ import annotations

from components.devices.device import LostError
from components.devices.power import EnergyReading, MeterError, PowerMeter
from components.devices.remote.bringing import RuntimeThere
from components.devices.remote.energy_sensor import EnergySensor
from components.devices.remote.energy_sensors import files_of, sensor_in
from components.devices.remote.phone_energy import COMMANDS
from components.devices.remote.raw_files import RawFiles, reading_script
from components.devices.remote.shell import Shell

_LIMIT_S = 15.0
_UPTIME = "/proc/uptime"
# The uptime goes on while a device sleeps; the clock of its processes does not.
_SLEPT = "import time; print(time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())"
_ASKING = '${1:+"$1"} "$2" -S -s -c "$3"'


class ShellMeter:
    """A sensor of a device behind a shell.

    Args:
        shell: Of the device.
        sensor: What is read.
        slept_s: For how long the device has slept since it was started.
    """

    def __init__(self, shell: Shell, sensor: EnergySensor, slept_s: float) -> None:
        self._shell, self._sensor, self._slept_s = shell, sensor, slept_s
        self.scope, self.look_s = sensor.scope, sensor.look_s
        self._script = reading_script((_UPTIME, *sensor.files), sensor.commands)
        self._last: tuple[float, float] | None = None
        self._joules = 0.0

    def reading(self) -> EnergyReading:
        """Return what the sensor says now; between two powers, a straight line is taken.

        Raises:
            MeterError: It says nothing any more.
            LostError: The device went away.
        """
        raw = RawFiles.parse(self._shell.run(self._script, limit_s=_LIMIT_S).out)
        at_s = _uptime_s(raw) - self._slept_s
        if self._sensor.joules is not None:
            return EnergyReading(at_s, self._sensor.joules(raw))
        assert self._sensor.watts is not None, "a sensor tells one of them"
        now_w = self._sensor.watts(raw)
        if self._last is not None:
            before_s, before_w = self._last
            self._joules += (at_s - before_s) * (before_w + now_w) / 2
        self._last = at_s, now_w
        return EnergyReading(at_s, self._joules)


def meter_of(shell: Shell, there: RuntimeThere, sysfs: str = "/sys") -> PowerMeter | str:
    """Return what measures a device's energy, or why nothing does.

    Args:
        shell: Of the device.
        there: The runtime on it, whose Python tells its clock.
        sysfs: Where its kernel shows devices.

    Raises:
        LostError: The device went away.
    """
    script = reading_script(files_of(sysfs), COMMANDS)
    raw = RawFiles.parse(shell.run(script, limit_s=_LIMIT_S).out)
    sensor = sensor_in(raw)
    if isinstance(sensor, str):
        return sensor
    slept = shell.run(_ASKING, there.shell, there.python, _SLEPT, limit_s=_LIMIT_S)
    if slept.code:
        raise LostError(f"its Python ended with {slept.code} when it was asked for the time")
    return ShellMeter(shell, sensor, float(slept.out))


def _uptime_s(raw: RawFiles) -> float:
    """Return the seconds since the device was started."""
    try:
        return float(raw.text(_UPTIME).split()[0])
    except (IndexError, ValueError):
        raise MeterError(f"not available: {_UPTIME} could not be read") from None
