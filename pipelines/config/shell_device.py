"""What devices behind a shell have in common: the user's own program that may measure there."""

from __future__ import annotations

from typing import Final

from pydantic import Field, model_validator

from components.artifacts.budgets import DeviceLimit
from components.devices.remote.runner.refused import (
    ENERGY,
    LIBRARIES,
    OPERATORS,
    SUSTAINED,
    without_runner,
)
from pipelines.config.device_section import DeviceSection
from pipelines.config.faults import custom

RUNNER: Final = Field(
    default=None,
    description="path or `gs://bucket/name` of a `benchmark_model` of LiteRT or TensorFlow Lite, "
    "built for that device, which measures in place of slimline's own probe: "
    "[how to get one](devices.md#runner)",
)


class ShellDevice(DeviceSection):
    """A device that slimline's own probe measures on, or a program of the user's.

    Attributes:
        runner: That program; None: the probe.
    """

    runner: str | None = RUNNER

    @property
    def measured(self) -> tuple[DeviceLimit, ...]:
        """What it tells as it is configured: energy is measured around no runner."""
        return tuple(key for key in self.tells if self.runner is None or key != "energy_mj")

    @model_validator(mode="after")
    def _fits(self) -> ShellDevice:
        given = self.parameters
        if self.runner is None:
            for key, refused in (("accelerator", without_runner), ("libraries", LIBRARIES)):
                if given.get(key) not in (None, "cpu"):
                    what, fix = refused(str(given[key])) if callable(refused) else refused
                    raise custom(what, fix, key=key)
            if given.get("operators") is True:
                what, fix = OPERATORS
                raise custom(what, fix, key="operators")
            return self
        for key, (what, fix) in (("sustained", SUSTAINED), ("energy", ENERGY)):
            if given.get(key) is True:
                raise custom(what, fix, key=key)
        for key in ("python", "bundle"):
            if given.get(key):
                raise custom("a runner runs no Python", f"remove {key}, or runner", key=key)
        return self
