"""Devices that no shell reaches: a browser, a microcontroller, and what was measured elsewhere."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from pipelines.config.device_section import NAME_CHARACTERS_MAX, DeviceSection
from pipelines.config.sections import Parameters


class BrowserDevice(DeviceSection):
    """A browser on this machine; all other keys are parameters of `benchmark_browser`."""

    component = "benchmark_browser"
    on_this_machine = True
    told_apart_by = ("browser",)
    kind: Literal["browser"] = Field(
        description="`browser`, LiteRT.js in the Chromium of this machine"
    )
    parameters: Parameters


class MicrocontrollerDevice(DeviceSection):
    """Memory on a chip; all other keys are parameters of `benchmark_microcontroller`."""

    component = "benchmark_microcontroller"
    tells = ("arena_kb", "flash_kb")
    kind: Literal["microcontroller"] = Field(
        description="`microcontroller`, TensorFlow Lite Micro on this machine: memory, no time"
    )
    parameters: Parameters


class ResultsDevice(DeviceSection):
    """Measurements of others; all other keys are parameters of `benchmark_results`."""

    component = "benchmark_results"
    tells = (*DeviceSection.tells, "arena_kb", "flash_kb")
    kind: Literal["results"] = Field(
        description="`results`, a device that an app, a service or a farm measured elsewhere"
    )
    file: str = Field(
        description="path or `gs://bucket/name` of a `.json` or `.csv` file of measurements: "
        "[its form](device_kinds.md#results)"
    )
    parameters: Parameters

    @property
    def usual_name(self) -> str:
        """The name of its file, without the ending."""
        stem = PurePosixPath(self.file).name.partition(".")[0].lower()
        plain = re.sub("[^a-z0-9]+", "-", stem).strip("-")
        return plain[:NAME_CHARACTERS_MAX].strip("-") or "results"
