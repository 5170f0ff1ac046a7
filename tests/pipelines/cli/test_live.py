"""The live view: plain lines where nobody looks, a picture on a terminal."""

import io

from rich.console import Console

from components.artifacts.data_use import DataUse, Loss
from pipelines.cli.live import LiveView
from pipelines.runs.events import (
    ImagesCounted,
    Planned,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from pipelines.runs.graph import Graph, Step

PLANNED = Planned(
    Graph(
        "live",
        tuple(Step(name, name, {}, {}, 1.0, 1.0) for name in ("ingest", "train", "publish")),
        {},
    )
)


def done(step: str, *, cached: bool) -> StepDone:
    return StepDone(step, "k", {}, "r", cached=cached, function_s=1.25, wall_s=1.5)


def shown(*, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100)
    with LiveView(console) as view:
        view.on_event(PLANNED)
        view.on_event(done("ingest", cached=True))
        view.on_event(StepStarted("train", "log"))
        view.on_event(StepFailed("train", "exited with 1\nand more", "look", False, "r"))
        view.on_event(StepSkipped("publish"))
    return file.getvalue()


def test_plain_lines() -> None:
    lines = [line.split(" s  ", 1)[1].split() for line in shown(terminal=False).splitlines()]
    assert lines == [
        ["cached", "ingest"],
        ["started", "train"],
        ["failed", "train"],
        ["skipped", "1", "steps"],
    ]


def test_a_terminal_keeps_what_is_done() -> None:
    text = shown(terminal=True)
    for word in ("cached", "ingest", "failed", "skipped"):
        assert word in text
    assert "\x1b[" in text


def test_what_runs_and_how_much_is_there() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    view = LiveView(console)
    view.on_event(PLANNED)
    view.on_event(done("ingest", cached=False))
    view.on_event(done("ingest", cached=True))  # repaired, so announced twice
    view.on_event(StepStarted("train", "log"))
    with console.capture() as capture:
        console.print(view._picture())
    assert "running  train" in capture.get()
    assert "1 of 3 steps are there" in capture.get()


def test_what_must_not_be_overlooked_of_the_data_is_a_line_of_its_own() -> None:
    file = io.StringIO()
    with LiveView(Console(file=file, width=100)) as view:
        view.on_event(PLANNED)
        lost = (Loss("layout", 324, ("a/b/1.png (layout: deeper)",)),)
        view.on_event(ImagesCounted("ingest", DataUse(360, 36, lost, ("324 are not used",))))
    counted, warned = file.getvalue().splitlines()
    assert counted.endswith("images   ingest   36 of 360 images are used; left out: 324 layout")
    assert warned.endswith("WARNING  ingest   324 are not used")


def test_what_a_step_waits_for_is_said_with_its_time() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    view = LiveView(console)
    view.on_event(PLANNED)
    view.on_event(StepWaiting("train", "engine local on host far, which runs this step"))
    console.print(view._picture())
    text = file.getvalue()
    assert "waiting  train" in text
    assert "for engine local on host far, which runs this step, 0 s" in text
    view.on_event(StepStarted("train", "log"))
    file.truncate(0)
    console.print(view._picture())
    assert "waiting" not in file.getvalue()


def test_what_a_step_waits_for_is_a_line_where_nobody_looks() -> None:
    file = io.StringIO()
    with LiveView(Console(file=file, width=100)) as view:
        view.on_event(PLANNED)
        view.on_event(StepWaiting("train", "somebody"))
    assert file.getvalue().split(" s  ", 1)[1].split() == ["waiting", "train", "for", "somebody"]
