"""The live view: plain lines where nobody looks, a picture on a terminal."""

import io
import time

from rich.console import Console

from components.artifacts.data_use import DataUse, Loss
from components.contract.progress import Progress
from pipelines.cli.live import LiveView
from pipelines.runs.graph import Graph, Step
from pipelines.runs.live.events import (
    DeviceNotNeeded,
    Estimated,
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


def test_a_device_that_is_not_needed_is_a_line_of_its_own() -> None:
    file = io.StringIO()
    with LiveView(Console(file=file, width=100)) as view:
        view.on_event(PLANNED)
        for results in (1, 3):
            view.on_event(DeviceNotNeeded("board", results, "board does not answer: no route"))
    one, three = file.getvalue().splitlines()
    reason = "in the store; board does not answer: no route"
    assert one.endswith(f"absent   board    its one result is {reason}")
    assert three.endswith(f"absent   board    all 3 results are {reason}")


TOLD = StepProgress(
    "train", Progress(9.0, epoch=3, total=15, loss=0.5, metric="auc", value=0.75), 0.5, 24.0
)
HELD = StepWaiting("train", "the machine: benchmark-\x1b[2Jx of run other holds it")


def test_plain_lines_say_how_far_a_step_is_but_not_too_often() -> None:
    file = io.StringIO()
    with LiveView(Console(file=file, width=100), plain_s=0.2) as view:
        view.on_event(PLANNED)
        view.on_event(HELD)
        view.on_event(HELD)
        view.on_event(StepStarted("train", "log"))
        for _ in range(5):
            view.on_event(TOLD)
        time.sleep(0.25)
        for _ in range(5):
            view.on_event(TOLD)
    lines = [line.split(" s  ", 1)[1] for line in file.getvalue().splitlines()]
    assert lines == [
        "waiting  train    for the machine: benchmark-\\x1b[2Jx of run other holds it, 0 s",
        "started  train",
        "running  train    epoch 3 of 15, loss 0.5, validation auc 0.7500, about 24 s left",
    ]


def test_a_terminal_shows_what_runs_what_waits_and_how_long_the_rest_takes() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    view = LiveView(console)
    view.on_event(PLANNED)
    view.on_event(HELD)

    def shown() -> str:
        with console.capture() as capture:
            console.print(view._picture())
        return capture.get()

    assert "waiting  train    for the machine" in shown()
    assert "left" not in shown()  # nobody knows
    view.on_event(Estimated({"ingest": 5.0, "train": 100.0, "publish": 6.0}))
    view.on_event(done("ingest", cached=True))
    view.on_event(StepStarted("train", "log"))
    assert "about 2 min left" in shown()
    view.on_event(TOLD)
    assert "epoch 3 of 15, loss 0.5, validation auc 0.7500, about 24 s left" in shown()
    # The steps of this graph depend on nothing: publish runs beside train where there are cores.
    assert any(f"cached, about {seconds} s left" in shown() for seconds in (24, 30))
    images = Progress(2.0, images=1200, total=5000)
    view.on_event(StepProgress("train", images, 600.0, 6.0))
    assert "1,200 of 5,000 images, 600 images/s, about 6 s left" in shown()


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
    assert file.getvalue().split(" s  ", 1)[1].split()[:4] == [
        "waiting", "train", "for", "somebody,"
    ]  # fmt: skip


def test_a_step_whose_result_an_engine_takes_from_elsewhere_is_cached_at_once_and_said_once() -> (
    None
):
    file = io.StringIO()
    with LiveView(Console(file=file, width=100)) as view:
        view.on_event(PLANNED)
        view.on_event(StepStarted("train", "log"))
        view.on_event(StepCached("train"))
        view.on_event(done("train", cached=True))
    assert [line.split()[2:] for line in file.getvalue().splitlines()] == [
        ["started", "train"],
        ["cached", "train"],
    ]


def test_a_run_that_is_tried_again_says_after_what() -> None:
    file = io.StringIO()
    with LiveView(Console(file=file, width=200)) as view:
        view.on_event(PLANNED)
        view.on_event(RunRetried(1, 2, ("train",), "train: was killed", 60.0))
    (said,) = file.getvalue().splitlines()
    assert said.endswith("retry    train    retry 1 of 2 in 60 s: train: was killed")
