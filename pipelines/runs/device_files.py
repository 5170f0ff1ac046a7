"""What a run chose for each device, where each has a choice of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.artifacts.decision import Decision
from components.artifacts.released_files import file_for, files_in, name_in


@dataclass(frozen=True)
class DeviceFile:
    """The choice for one device.

    Attributes:
        device: Its name.
        winner: The variant that won there; null where none did.
        reason: Why, in one sentence.
        file: Name of its file in the release; null without one, and before there is a release.
        qualified: Whether the file keeps to the budgets on the sealed images; null likewise.
    """

    device: str
    winner: str | None
    reason: str
    file: str | None
    qualified: bool | None

    @property
    def sentence(self) -> str:
        """What a person reads of it."""
        if self.winner is None:
            return f"{self.device}: no file: {self.reason}"
        state = {None: "", True: ", qualified", False: ", not qualified"}[self.qualified]
        return f"{self.device}: {self.winner}{f' ({self.file})' if self.file else ''}{state}"


def device_files(
    decisions: Mapping[str, Decision], manifest: Mapping[str, Any] | None
) -> tuple[DeviceFile, ...]:
    """Return what was chosen for each device.

    Args:
        decisions: By device.
        manifest: Of the release; None where there is none.
    """
    return tuple(_file(device, one, manifest) for device, one in decisions.items())


def _file(device: str, decision: Decision, manifest: Mapping[str, Any] | None) -> DeviceFile:
    entry = file_for(manifest, device) if manifest and decision.winner else None
    return DeviceFile(
        device=device,
        winner=decision.winner,
        reason=decision.reason,
        file=name_in(entry) if entry else None,
        qualified=entry["qualified"] is True if entry else None,
    )


def in_order(
    decisions: Mapping[str, Decision], manifest: Mapping[str, Any] | None
) -> dict[str, Decision]:
    """Return decisions in the order of the release's files, so that the first is ``model.tflite``.

    Args:
        decisions: By device.
        manifest: Of the release; None where there is none.
    """
    listed: list[str] = []
    for entry in files_in(manifest) if manifest else ():
        listed += entry.get("devices", ())
    rest = [device for device in decisions if device not in listed]
    return {device: decisions[device] for device in (*listed, *rest) if device in decisions}
