"""In a browser: the measurement of a model there, and what a page downloads to run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from components.artifacts.browser import BrowserReport
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.measurement import Acceleration, Measurement
from components.devices.browser.device import PACKAGE, Chromium
from components.devices.browser.litertjs import wire_bytes
from components.devices.timing_plan import TimingPlan
from components.measure.measuring import measurement_of
from components.statistics.resampling import Resampling


def measured_in_browser(
    model: Path, name: str, browser: Chromium, plan: TimingPlan, resampling: Resampling
) -> tuple[Measurement, BrowserReport | None]:
    """Time a LiteModel, and count what its page loads.

    Args:
        model: Its folder.
        name: What the device is called.
        browser: Where.
        plan: How it is timed.
        resampling: How intervals are made.

    Returns:
        The measurement; and what the pages told, None where none came to its end.

    Raises:
        UserError: The browser cannot be measured, or the plan cannot be carried out.
    """
    measured = measurement_of(model, name, browser, plan, resampling)
    told = _told(model, browser, measured) if browser.pages else None
    computed = (
        [PurePosixPath(file).name for file in told.files if file.endswith(".wasm")] if told else []
    )
    return replace(
        measured,
        runtime={**measured.runtime, "name": PACKAGE},
        accelerator=Acceleration("wasm", "wasm" if computed else "none", ", ".join(computed)),
    ), told


def _told(model: Path, browser: Chromium, measured: Measurement) -> BrowserReport:
    # An attempt that was repeated has left its pages, too.
    pages = browser.pages[-len(measured.processes) :]
    last = pages[-1]
    return BrowserReport(
        browser=measured.device.fingerprint["browser"],
        agent=last.document["agent"],
        isolated=last.document["isolated"],
        cores=last.document["cores"],
        threads=measured.threads,
        runtime_ms=float(np.median([page.document["runtime_ms"] for page in pages])),
        runs_per_sample=max(page.document["runs_per_sample"] for page in pages),
        files=last.files,
        runtime=browser.runtime.wire_bytes(last.files),
        model=wire_bytes((model / MODEL_FILE).read_bytes()),
    )
