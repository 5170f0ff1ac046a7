"""The live view of a run: what is done stays as a line, what runs is shown with its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live

from pipelines.cli.time_left import TimeLeft
from pipelines.cli.visible import line
from pipelines.runs.live.events import (
    DeviceNotNeeded,
    Event,
    ImagesCounted,
    Planned,
    RunRetried,
    StepCached,
    StepDone,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from pipelines.runs.live.progress_text import duration, progress_text

_PER_SECOND = 4
_PLAIN_S = 10.0
"""Where nobody looks, a step says so often how far it is, and what it waits for."""
_WIDEST = 48
"""Columns for names of steps, at most; of a few long ones the text begins further right."""


class LiveView:
    """Shows every event of a run; drawn on a terminal, plain lines elsewhere.

    Args:
        console: Where to.
        plain_s: Least time between two plain lines on the progress of a step.
    """

    def __init__(self, console: Console, plain_s: float = _PLAIN_S) -> None:
        self._console = console
        self._plain_s = plain_s
        self._total = 0
        self._width = 0
        self._began = time.monotonic()
        self._running: dict[str, float] = {}
        self._waiting: dict[str, tuple[float, str]] = {}
        self._told: dict[str, tuple[float, StepProgress]] = {}
        self._said: dict[str, float] = {}
        self._skipped = 0
        self._cached: dict[str, bool] = {}  # by finished step; a repaired one is announced twice
        self._early: set[str] = set()  # told to be cached before what is there was known
        self._left = TimeLeft()
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
        self._left.on_event(event)
        match event:
            case Planned():
                names = [step.name for step in event.graph.steps]
                self._total = len(names)
                self._width = min(_WIDEST, max(map(len, names)))
            case StepWaiting() if event.outside:
                since, _ = self._waiting.get(event.step, (time.monotonic(), ""))
                self._waiting[event.step] = since, event.what
                self._plain("waiting", event.step, self._waits(event.step))
            case StepStarted():
                self._forget(event.step)
                self._running[event.step] = self._said[event.step] = time.monotonic()
                if not self._console.is_terminal:
                    self._line("started", event.step, "")
            case StepProgress():
                self._told[event.step] = time.monotonic(), event
                self._plain("running", event.step, self._far(event.step))
            case StepCached():
                self._forget(event.step)
                self._cached[event.step] = True
                self._early.add(event.step)
                self._line("cached", event.step, "", "dim")
            case RunRetried():
                self._retried(event)
            case _:
                self._on_end(event)

    def _retried(self, event: RunRetried) -> None:
        for step in event.steps:
            self._forget(step)
        again = f"retry {event.number} of {event.most} in {duration(event.wait_s)}"
        self._line("retry", ", ".join(event.steps), f"{again}: {event.why}", "yellow")

    def _on_end(self, event: Event) -> None:
        match event:
            case StepDone():
                self._forget(event.step)
                told = event.step in self._early
                self._early.discard(event.step)
                self._cached[event.step] = event.cached
                if event.cached and told:
                    return
                if event.cached:
                    self._line("cached", event.step, "", "dim")
                else:
                    took = f"{event.wall_s:.1f} s, {event.function_s:.1f} s in the function"
                    self._line("done", event.step, took, "green")
            case DeviceNotNeeded():
                many = event.results > 1
                there = f"all {event.results} results are" if many else "its one result is"
                self._line("absent", event.device, f"{there} in the store; {event.why}")
            case ImagesCounted():
                self._line("images", event.step, event.use.summary)
                for warning in event.use.warnings:
                    self._line("WARNING", event.step, warning, "bold red")
            case StepFailed():
                self._forget(event.step)
                self._line("failed", event.step, "", "red")  # why: said once, when the run ends
            case StepSkipped():
                self._forget(event.step)
                self._skipped += 1
            case _:
                pass

    def _forget(self, step: str) -> None:
        for kept in (self._running, self._waiting, self._told, self._said):
            kept.pop(step, None)

    def _far(self, step: str) -> str:
        """Say how far a step is that runs."""
        if step not in self._told:
            return ""
        at, event = self._told[step]
        left_s = event.left_s
        if left_s is not None:
            left_s = max(0.0, left_s - (time.monotonic() - at))
        return progress_text(event.progress, event.per_second, left_s)

    def _waits(self, step: str) -> str:
        since, waits_for = self._waiting[step]
        return f"for {waits_for}, {duration(time.monotonic() - since)}"

    def _plain(self, state: str, step: str, text: str) -> None:
        """Print a line on a step, not too often; a terminal shows it as it changes."""
        now = time.monotonic()
        if self._console.is_terminal or now - self._said.get(step, 0.0) < self._plain_s:
            return
        self._said[step] = now
        self._line(state, step, text)

    def _line(self, state: str, step: str, text: str, style: str = "") -> None:
        elapsed = time.monotonic() - self._began
        said = f"{elapsed:7.1f} s  {state:<7}  {step:<{self._width}}  {text}".rstrip()
        self._console.print(line(said, style), soft_wrap=True)

    def _picture(self) -> RenderableType:
        summary = (
            f"{time.monotonic() - self._began:7.1f} s  {len(self._cached)} of {self._total} steps "
            f"are there, {sum(self._cached.values())} of them cached"
        )
        left_s = self._left.seconds()
        if left_s is not None:
            summary += f", about {duration(left_s)} left"
        return Group(
            *(line(text, style="cyan") for text in self._steps()), line(summary, style="bold")
        )

    def _steps(self) -> Iterator[str]:
        now = time.monotonic()
        for step, since in self._running.copy().items():
            text = f"{now - since:.0f} s  {self._far(step)}".rstrip()
            yield f"           running  {step:<{self._width}}  {text}"
        for step in self._waiting.copy():
            yield f"           waiting  {step:<{self._width}}  {self._waits(step)}"
