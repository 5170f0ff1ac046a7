"""Given: the program out of a step's input, and what does not go with it."""

from __future__ import annotations

from pathlib import Path

from components.contract.errors import UserError
from components.contract.source import Source
from components.devices.remote.runner.refused import ENERGY, LIBRARIES, SUSTAINED, without_runner
from components.devices.remote.settings import RemoteSettings


def runner_in(staged: Path) -> Path:
    """Return the program in a Source.

    Raises:
        UserError: It was damaged.
    """
    source = Source.open(staged)
    return source.verified(source.files[0])


def check_given(
    device: str, settings: RemoteSettings, *, runner: bool, sustained: bool, energy: bool
) -> None:
    """Refuse what only a runner can do, or what none can.

    Args:
        device: Name of the device.
        settings: What it measures with.
        runner: Whether it has one.
        sustained: Whether lasting load was asked for.
        energy: Whether energy was asked for.

    Raises:
        UserError: Something of it cannot be had.
    """
    asked = (
        (runner and sustained, SUSTAINED),
        (runner and energy, ENERGY),
        (not runner and settings.accelerator != "cpu", without_runner(settings.accelerator)),
        (not runner and settings.libraries is not None, LIBRARIES),
    )
    for refused, (what, fix) in asked:
        if refused:
            raise UserError(f"{device}: {what}", fix)
