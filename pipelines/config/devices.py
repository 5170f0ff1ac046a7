"""The section ``devices``: one class a kind of device, and what the devices are called.

Parameters are not described here: they are those of the component that measures on the kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter, ValidationError

from components.contract.errors import UserError, suggest
from pipelines.config.device_section import DeviceSection
from pipelines.config.faults import custom, fault_of
from pipelines.config.other_devices import BrowserDevice, MicrocontrollerDevice, ResultsDevice
from pipelines.config.sections import Parameters
from pipelines.config.shell_device import RUNNER, ShellDevice

HOST = "host"
"""The kind, and the name, of the machine that runs slimline."""


class HostDevice(DeviceSection):
    """This machine; all other keys are parameters of `benchmark`."""

    component = "benchmark"
    tells = (*DeviceSection.tells, "energy_mj")
    on_this_machine = True
    kind: Literal["host"] = Field(description="`host`, the machine that runs slimline")
    parameters: Parameters


class SshDevice(ShellDevice):
    """A board that `ssh` reaches; all other keys are parameters of `benchmark_ssh`."""

    component = "benchmark_ssh"
    tells = (*DeviceSection.tells, "energy_mj")
    told_apart_by = ("host",)
    kind: Literal["ssh"] = Field(description="`ssh`, a Linux board or another computer")
    runner: str | None = RUNNER
    parameters: Parameters


class AdbDevice(ShellDevice):
    """A phone that `adb` reaches; all other keys are parameters of `benchmark_adb`."""

    component = "benchmark_adb"
    tells = (*DeviceSection.tells, "energy_mj")
    told_apart_by = ("serial", "via")
    kind: Literal["adb"] = Field(description="`adb`, an Android phone with USB debugging")
    runner: str | None = RUNNER
    parameters: Parameters


KINDS: Mapping[str, type[DeviceSection]] = {
    "host": HostDevice,
    "ssh": SshDevice,
    "adb": AdbDevice,
    "browser": BrowserDevice,
    "microcontroller": MicrocontrollerDevice,
    "results": ResultsDevice,
}
"""The class of every kind."""


def _given(value: object) -> object:
    """Take ``host`` for a mapping, and refuse what is of no kind."""
    given = {"kind": value} if isinstance(value, str) else value
    if isinstance(given, dict):
        kind = cast("dict[str, object]", given).get("kind")
        if kind is None:
            raise custom("it does not say what kind of device it is", "add kind: ssh, for example")
        if not isinstance(kind, str) or kind not in KINDS:
            what, fix = f"there is no kind of device {kind!r}", suggest(str(kind), KINDS)
            if value == kind and not fix.startswith("did you mean"):
                fix = f"write {{kind: ssh, host: {kind}}}, or {{kind: adb, serial: {kind}}}"
            raise custom(what, fix, key=None if value == kind else "kind")
    return cast("object", given)


def _kind_of(value: object) -> str:
    kind: Any = (
        cast("dict[str, object]", value).get("kind")
        if isinstance(value, dict)
        else getattr(value, "kind", None)
    )
    return f"<{kind if kind in KINDS else HOST}>"


# Tags in angle brackets are left out of the places that errors name.
Device: TypeAlias = Annotated[
    Annotated[HostDevice, Tag("<host>")]
    | Annotated[SshDevice, Tag("<ssh>")]
    | Annotated[AdbDevice, Tag("<adb>")]
    | Annotated[BrowserDevice, Tag("<browser>")]
    | Annotated[MicrocontrollerDevice, Tag("<microcontroller>")]
    | Annotated[ResultsDevice, Tag("<results>")],
    Discriminator(_kind_of),
    BeforeValidator(_given),
]


_DEVICE = TypeAdapter[DeviceSection](Device)


def device_of(section: Mapping[str, object]) -> DeviceSection:
    """Return a device from its section alone; its parameters are checked by whoever uses them.

    Raises:
        UserError: It is of no kind that there is.
    """
    try:
        return _DEVICE.validate_python(dict(section))
    except ValidationError as error:
        _, what, fix = fault_of(error.errors()[0])
        raise UserError(what, fix) from None


def device_names(devices: Sequence[DeviceSection]) -> tuple[str, ...]:
    """Return what devices are called: their own names, or those that follow from the sections.

    Where this machine is listed several times, its threads tell one from the other.
    """
    hosts = sum(isinstance(device, HostDevice) for device in devices)
    return tuple(
        device.name or (_by_threads(device) if hosts > 1 else HOST)
        if isinstance(device, HostDevice)
        else device.name or device.usual_name
        for device in devices
    )


def _by_threads(device: HostDevice) -> str:
    count = device.parameters.get("threads", 1)
    return f"{HOST}-{count}-thread{'s' if count != 1 else ''}"


def device_places(devices: Sequence[DeviceSection]) -> tuple[str, ...]:
    """Return what the steps of each device need for themselves alone.

    That is ``host`` for what is measured on this machine; else the name under which the device is
    listed first, so that two sections about one phone never measure at the same time.
    """
    first: dict[tuple[object, ...], str] = {}
    places: list[str] = []
    for device, name in zip(devices, device_names(devices), strict=True):
        told = (type(device), *(str(device.parameters.get(key)) for key in device.told_apart_by))
        places.append(HOST if device.on_this_machine else first.setdefault(told, name))
    return tuple(places)
