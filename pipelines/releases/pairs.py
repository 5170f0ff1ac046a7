"""Which file of a challenger takes the place of which file of the champion, on which devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.artifacts.released_files import devices_in, devices_of, file_for, files_in, name_in
from pipelines.releases.published import PublishedRelease
from pipelines.runs.choices import ChoiceSteps


@dataclass(frozen=True)
class FilePair:
    """Two files, the first of which would take the place of the second.

    Attributes:
        devices: Where; empty where both releases have one file for every device.
        challenger: What the manifest of the challenger says of its file.
        champion: The same of the champion's.
    """

    devices: tuple[str, ...]
    challenger: Mapping[str, Any]
    champion: Mapping[str, Any]

    @property
    def end(self) -> str:
        """What tells the steps that compare these two from those of others."""
        return f"-{self.devices[0]}" if self.devices else ""

    def said(self, text: str) -> str:
        """Return a sentence with the devices that it holds for."""
        return f"{', '.join(self.devices)}: {text}" if self.devices else text


def choice_of(entry: Mapping[str, Any]) -> ChoiceSteps:
    """Return the steps of its run that chose a file."""
    devices = devices_in(entry)
    return ChoiceSteps.on(devices[0] if devices else None)


def pairs_of(challenger: PublishedRelease, champion: PublishedRelease) -> list[FilePair]:
    """Return each two files once, with all devices where one takes the place of the other."""
    now, before = challenger.manifest, champion.manifest
    devices = dict.fromkeys((*(devices_of(now) or ()), *(devices_of(before) or ())))
    if not devices:
        return [FilePair((), files_in(now)[0], files_in(before)[0])]
    found: dict[tuple[str, str], FilePair] = {}
    for device in devices:
        one, other = file_for(now, device), file_for(before, device)
        if one is None or other is None:
            continue
        key = (name_in(one), name_in(other))
        held = found[key].devices if key in found else ()
        found[key] = FilePair((*held, device), one, other)
    return list(found.values())


def lost_devices(challenger: PublishedRelease, champion: PublishedRelease) -> list[str]:
    """Return the devices that would have no file any more.

    A champion with one file for every device loses none by name: which devices run it nobody knows
    but those that it was measured on.
    """
    served = devices_of(champion.manifest) or tuple(measured_on(files_in(champion.manifest)[0]))
    return [device for device in served if file_for(challenger.manifest, device) is None]


def new_devices(challenger: PublishedRelease, champion: PublishedRelease) -> list[str]:
    """Return the devices that have a file for the first time."""
    served = devices_of(challenger.manifest) or ()
    return [device for device in served if file_for(champion.manifest, device) is None]


def measured_on(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the median latency of a file by device, as its manifest says it; empty without."""
    try:
        measured = entry["selection"]["p50_ms"]
    except (LookupError, TypeError):
        return {}
    return measured if isinstance(measured, dict) else {}  # pyright: ignore[reportUnknownVariableType]
