"""What ``devices --json`` and ``devices clean --json`` print, key by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.engines.devices import Looked, kind_of


@dataclass(frozen=True)
class ListedDevice:
    """What a device answered.

    Attributes:
        name: What the configuration calls it.
        kind: Of the device.
        state: ``ready``, or ``cannot measure``.
        id: Digest of its serial number or machine-id; empty where it did not answer.
        transport: How it is reached, such as ``ssh``; ``none`` for this machine.
        fingerprint: What makes two measurements on it comparable: processor, cores, kernel, version
            of the runtime; empty where it did not answer.
        readings: How it is at the moment, as far as it tells: temperature, clocks, battery, load.
        fault: What is wrong with it; empty where it is ready.
        fix: What to do about it.
        line: The line that adds a phone to a configuration that hangs here and is new; empty of
            all others.
    """

    name: str
    kind: str
    state: str
    id: str
    transport: str
    fingerprint: Mapping[str, str]
    readings: Mapping[str, float | str]
    fault: str
    fix: str
    line: str


@dataclass(frozen=True)
class ListedDevices:
    """What devices answered.

    Attributes:
        devices: One entry each.
    """

    devices: Sequence[ListedDevice]


@dataclass(frozen=True)
class CleanedDevice:
    """A device that slimline has left.

    Attributes:
        name: Of the device.
        kind: Of the device.
        removed: The folder on it that is gone, with all that was in it.
    """

    name: str
    kind: str
    removed: str


def listed_devices(looked: Sequence[Looked], lines: Mapping[str, str]) -> ListedDevices:
    """Return the document of what was looked at.

    Args:
        looked: What came of it.
        lines: By name the line that adds a device to a configuration, of those that are new.
    """
    return ListedDevices([_listed(one, lines.get(one.name, "")) for one in looked])


def _listed(one: Looked, line: str) -> ListedDevice:
    return ListedDevice(
        name=one.name,
        kind=kind_of(one.section),
        state="cannot measure" if one.fault else "ready",
        id=one.seen.id if one.seen else "",
        transport=one.seen.transport if one.seen else "",
        fingerprint=dict(one.seen.fingerprint) if one.seen else {},
        readings=dict(one.seen.state) if one.seen else {},
        fault=one.fault.what if one.fault else "",
        fix=one.fault.fix if one.fault else "",
        line=line,
    )
