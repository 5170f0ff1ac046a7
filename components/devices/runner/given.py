"""Given: what a configuration may ask of a device with a runner, and without one."""

from __future__ import annotations

from pathlib import Path

from components.contract.errors import UserError
from components.contract.source import Source
from components.devices.remote.settings import RemoteSettings
from components.devices.runner.refused import ENERGY, LIBRARIES, SUSTAINED, without_runner


def runner_in(staged: Path, device: str, *, sustained: bool, energy: bool) -> Path:
    """Return the program in a Source.

    Args:
        staged: The Source.
        device: Name of the device.
        sustained: Whether lasting load was asked for.
        energy: Whether energy was asked for.

    Raises:
        UserError: Something was asked for that no runner tells.
    """
    for asked, (what, fix) in ((sustained, SUSTAINED), (energy, ENERGY)):
        if asked:
            raise UserError(f"{device}: {what}", fix)
    source = Source.open(staged)
    return source.verified(source.files[0])


def check_without_runner(device: str, settings: RemoteSettings) -> None:
    """Refuse what only a runner can do.

    Raises:
        UserError: Another accelerator than the processor, or libraries.
    """
    for asked, (what, fix) in (
        (settings.accelerator != "cpu", without_runner(settings.accelerator)),
        (settings.libraries is not None, LIBRARIES),
    ):
        if asked:
            raise UserError(f"{device}: {what}", fix)
