"""Benchmark browser: how fast a converted model is in a web page, and what the page downloads."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import FromGraph, LiteModelIn, MetricsOut, ReportOut
from components.devices.browser.settings import BrowserSettings
from components.devices.timing_plan import TimingPlan
from components.statistics.resampling import Resampling

IMAGE = "device"
OCCUPIES = "device"


def benchmark_browser(
    model: LiteModelIn,
    report: ReportOut,
    metrics: MetricsOut,
    *,
    device: Annotated[str, FromGraph()],
    opened: BrowserSettings = BrowserSettings(),
    plan: TimingPlan = TimingPlan(),
    resampling: Resampling = Resampling(),
) -> None:
    """Time a converted model in LiteRT.js, in a browser without a window on this machine.

    Every process is a browser of its own with an empty cache, which opens one page. Loading counts
    from there: runtime and model come over the loopback interface, so that a network adds what
    their bytes take. The runtime computes by WebAssembly on the processor; more than one thread
    needs a page that is isolated from other origins, as this one is.

    Args:
        model: The LiteModel.
        report: ``benchmark.json``; and ``browser.json``: bytes over the wire, and how it ran.
        metrics: The summary and the bytes, flat.
        device: Its name in the configuration.
        opened: Which browser runs it.
        plan: How the model is timed.
        resampling: How intervals are made.

    Raises:
        UserError: There is no Chromium, or LiteRT.js cannot be fetched; more threads than cores; a
            plan longer than its limit.
    """
    from components.devices.browser.device import open_browser
    from components.measure.in_browser import measured_in_browser
    from components.measure.reporting import write_measurement

    browser = open_browser(device, opened)
    measurement, told = measured_in_browser(model, device, browser, plan, resampling)
    if told:
        told.write(report)
    write_measurement(measurement, report, metrics, told.numbers if told else None)
