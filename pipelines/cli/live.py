"""The live view of a run: what is done stays as a line, what runs is shown with its time."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live

from pipelines.cli.visible import line
from pipelines.runs.events import (
    Event,
    ImagesCounted,
    Planned,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepWaiting,
)

_PER_SECOND = 4


class LiveView:
    """Shows every event of a run; drawn on a terminal, plain lines elsewhere.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = 0
        self._width = 0
        self._began = time.monotonic()
        self._running: dict[str, float] = {}
        self._waiting: dict[str, tuple[float, str]] = {}
        self._skipped = 0
        self._cached: dict[str, bool] = {}  # by finished step; a repaired one is announced twice
        self._live = Live(
            console=console,
            get_renderable=self._picture,
            refresh_per_second=_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
        if self._skipped:
            self._line("skipped", f"{self._skipped} steps", "", "dim")

    def on_event(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Planned():
                names = [step.name for step in event.graph.steps]
                self._total = len(names)
                self._width = max(map(len, names))
            case StepWaiting():
                self._take_waiting(event)
            case StepStarted():
                self._waiting.pop(event.step, None)
                self._running[event.step] = time.monotonic()
                if not self._console.is_terminal:
                    self._line("started", event.step, "")
            case StepDone():
                self._take_done(event)
            case ImagesCounted():
                self._line("images", event.step, event.use.summary)
                for warning in event.use.warnings:
                    self._line("WARNING", event.step, warning, "bold red")
            case StepFailed():
                self._running.pop(event.step, None)
                self._waiting.pop(event.step, None)
                self._line("failed", event.step, "", "red")  # why: said once, when the run ends
            case StepSkipped():
                self._skipped += 1

    def _take_waiting(self, event: StepWaiting) -> None:
        since, _ = self._waiting.get(event.step, (time.monotonic(), ""))
        self._waiting[event.step] = (since, event.what)
        if not self._console.is_terminal:
            self._line("waiting", event.step, f"for {event.what}")

    def _take_done(self, event: StepDone) -> None:
        self._running.pop(event.step, None)
        self._waiting.pop(event.step, None)
        self._cached[event.step] = event.cached
        if event.cached:
            self._line("cached", event.step, "", "dim")
        else:
            took = f"{event.wall_s:.1f} s, {event.function_s:.1f} s in the function"
            self._line("done", event.step, took, "green")

    def _line(self, state: str, step: str, text: str, style: str = "") -> None:
        elapsed = time.monotonic() - self._began
        said = f"{elapsed:7.1f} s  {state:<7}  {step:<{self._width}}  {text}".rstrip()
        self._console.print(line(said, style), soft_wrap=True)

    def _picture(self) -> RenderableType:
        now = time.monotonic()
        lines = [
            line(f"           running  {step:<{self._width}}  {now - since:.0f} s", style="cyan")
            for step, since in self._running.copy().items()
        ]
        lines += [
            line(
                f"           waiting  {step:<{self._width}}  for {what}, {now - since:.0f} s",
                style="yellow",
            )
            for step, (since, what) in self._waiting.copy().items()
        ]
        summary = (
            f"{now - self._began:7.1f} s  {len(self._cached)} of {self._total} steps are there, "
            f"{sum(self._cached.values())} of them cached"
        )
        return Group(*lines, line(summary, style="bold"))
