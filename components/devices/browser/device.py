"""A browser as a device: every process is a Chromium of its own, which opens one page."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.artifacts.measurement import Block, Crash, Process
from components.devices.browser.chromium import (
    RunningBrowser,
    chromium_path,
    chromium_version,
    opened,
)
from components.devices.browser.counters import counters
from components.devices.browser.litertjs import VERSION, LiteRtJs, litertjs
from components.devices.browser.server import Posted, Serving, serving
from components.devices.browser.settings import BrowserSettings
from components.devices.device import Installed, Seen, State
from components.devices.host import Host
from components.devices.power import PowerMeter
from components.devices.probing import LEAST_BLOCK_MS
from components.devices.timing_plan import TimingPlan

PACKAGE = "@litertjs/core"
PAGE = Path(__file__).with_name("page.html")
_LOOK_S = 0.2


@dataclass(frozen=True)
class OpenedPage:
    """One page that was opened, and what it posted in the end.

    Attributes:
        files: What it loaded of the runtime, relative to its folder.
        document: What it measured.
    """

    files: tuple[str, ...]
    document: Mapping[str, Any]


class Chromium:
    """LiteRT.js in the Chromium of this machine."""

    kind = "browser"

    def __init__(self, settings: BrowserSettings, host: Host | None = None) -> None:
        """Find the browser; nothing is started.

        Args:
            settings: Which one, and where the runtime is kept.
            host: The machine that it runs on.

        Raises:
            UserError: It is not installed.
        """
        self._host = host or Host()
        self._folder = Path(settings.dir)
        self.path = chromium_path(settings.browser)
        self.waits_s = self._host.waits_s
        self.pages: list[OpenedPage] = []

    def look(self) -> Seen:
        """Say which browser it is, and on which machine."""
        machine = self._host.look()
        facts = {
            **machine.fingerprint,
            "browser": chromium_version(self.path),
            "runtime": f"{PACKAGE} {VERSION}",
        }
        return Seen(machine.id, facts, machine.state, "loopback")

    def take(self, wait_s: float) -> AbstractContextManager[None]:
        """Have it, as the machine that it runs on."""
        return self._host.take(wait_s)

    def install(self) -> Installed:
        """Fetch LiteRT.js, unless it is there.

        Raises:
            UserError: It cannot be had.
        """
        runtime = litertjs(self._folder)
        return Installed("npm", VERSION, runtime.sha256, runtime.fetched_bytes, runtime.seconds)

    @property
    def runtime(self) -> LiteRtJs:
        """LiteRT.js where it is kept."""
        return litertjs(self._folder)

    def check(self, plan: TimingPlan) -> None:
        """Refuse a plan that cannot be carried out."""
        self._host.check(plan)

    def settle(self, wait_s: float) -> bool:
        """Wait until this machine is quiet."""
        return self._host.settle(wait_s)

    def state(self) -> State:
        """Return how this machine is."""
        return self._host.state()

    def best_reference_ms(self, cores: tuple[int, ...], found_ms: float | None) -> float | None:
        """Return the fastest reference loop of this measurement; a page runs none so far."""
        return self._host.best_reference_ms(cores, found_ms)

    def meter(self) -> PowerMeter | str:
        """Say why its energy is not measured."""
        return "not available: this machine's counter does not tell a browser from all else"

    def close(self) -> None:
        """Nothing was opened: every process ends with its page."""

    def time(self, model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
        """Time a ``.tflite`` in one fresh browser with an empty cache."""
        runtime = self.runtime
        settings = {
            "threads": plan.threads, "seed": seed, "blocks": plan.blocks,
            "block_ms": plan.block_ms, "warm_up_ms": plan.warm_up_ms, "least_ms": LEAST_BLOCK_MS,
        }  # fmt: skip
        files: dict[str, Path | bytes] = {
            "page.html": PAGE,
            "settings.json": json.dumps(settings).encode(),
            "model.tflite": model,
            "core": runtime.folder / "core",
            "wasm-utils": runtime.folder / "wasm-utils",
        }
        marks: dict[str, Mapping[str, float]] = {}
        running: list[RunningBrowser] = []

        def seen(what: str) -> None:
            if what.startswith("memory/"):
                marks[what] = {"bytes": running[0].memory_bytes()}
            elif what.startswith("blocks/"):
                marks[what] = {**counters(), "own_cpu_ms": running[0].cpu_ms()}

        with serving(files, seen) as served, opened(self.path, served.url) as browser:
            running.append(browser)
            last = _posted(served, browser, plan.limit_s)
        if isinstance(last, Crash):
            return last
        if last.what == "failed":
            said = str(last.document.get("error", "")).strip() or "it said nothing"
            return Crash(None, said.splitlines()[0], str(last.document.get("stack", "")))
        ours = (path for path in served.served if path.startswith(("core/", "wasm-utils/")))
        loaded = tuple(dict.fromkeys(ours))
        self.pages.append(OpenedPage(loaded, last.document))
        return process_of(last.document, marks)


def open_browser(name: str, settings: BrowserSettings) -> Chromium:
    """Return the browser of a configuration.

    Args:
        name: What the configuration calls it.
        settings: Which one.

    Raises:
        UserError: It is not installed.
    """
    del name
    return Chromium(settings)


def _posted(served: Serving, browser: RunningBrowser, limit_s: float) -> Posted | Crash:
    """Wait for the end of a page: what it posted last, or how the browser ended without that."""
    deadline = time.monotonic() + limit_s
    while True:
        ended = browser.ended
        try:
            posted = served.posted.get(timeout=_LOOK_S)
        except queue.Empty:
            posted = None
        if posted and posted.what in ("done", "failed"):
            return posted
        if posted is None and ended is not None:
            return Crash(None, f"the browser ended with exit code {ended}", "", outside=True)
        if time.monotonic() > deadline:
            return Crash(None, f"time limit of {limit_s:g} s", "", outside=True)


def process_of(document: Mapping[str, Any], marks: Mapping[str, Mapping[str, float]]) -> Process:
    """Return what a page measured as any process does.

    The processor time of the browser's processes, and for how long anything waited, are known over
    all blocks; each block has its part of them by its time. Memory is what all of the browser's
    processes have resident.

    Args:
        document: What the page posted.
        marks: Counters as ``memory/before`` a model was there and ``memory/after`` the warm-up, as
            ``blocks/begin`` and ``blocks/end``.
    """
    before = marks["blocks/begin"]
    machine = {name: value - before[name] for name, value in marks["blocks/end"].items()}
    waited_us = machine.pop("waited_us", None)
    baseline_bytes = int(marks["memory/before"]["bytes"])
    whole_ms = sum(block["wall_ms"] for block in document["blocks"])
    return Process(
        load_ms=document["load_ms"],
        first_ms=document["first_ms"],
        warmups=document["warmups"],
        warmups_ms=tuple(document["warmups_ms"]),
        samples_ms=tuple(document["samples_ms"]),
        blocks=tuple(
            Block(
                runs=block["runs"],
                wall_ms=block["wall_ms"],
                cpu_ms=machine["own_cpu_ms"] * block["wall_ms"] / whole_ms,
                voluntary_switches=0,
                involuntary_switches=0,
                psi_cpu_us=None if waited_us is None else waited_us * block["wall_ms"] / whole_ms,
            )
            for block in document["blocks"]
        ),
        machine=machine,
        baseline_memory_bytes=baseline_bytes,
        peak_memory_bytes=max(baseline_bytes, int(marks["memory/after"]["bytes"])),
        peak_was_reset=False,
        delegate_partitions=None,
        imported=(),
        python="",
    )
