"""How often the demo has a winner, and which: on this machine as it is, and on a busy one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.table import Row

if TYPE_CHECKING:
    from pipelines.config.configuration import Config

DEMO = Path(__file__).parents[2] / "pipelines" / "examples" / "digits.yaml"
TRIES = 10
BUSY = 2


def bench_winners(scratch: Path) -> list[Row]:
    """The demo, trained once, whose variants are timed anew each time.

    Run it with nothing beside it: the first numbers are those of a quiet machine.
    """
    from pipelines.config.loading import load

    store, config = scratch / "store", load(DEMO)
    fastest = config.model_copy(update={"minimize": "latency"})
    quiet = Counter(_winner(fastest, store, scratch) for _ in range(TRIES))
    smallest = _winner(config, store, scratch)
    with _busy(BUSY):
        busy = Counter(_winner(config, store, scratch) for _ in range(TRIES))
    of = f"of {TRIES}"
    return [
        Row("demo, minimize: latency, runs with a winner", TRIES - quiet[None], of, f"{TRIES}"),
        Row("... that have the most frequent one", max(quiet.values()), of, ""),
        Row("demo beside 2 busy loops, runs with a winner", TRIES - busy[None], of, f"{TRIES}"),
        Row("... that have the winner of the quiet machine", busy[smallest], of, f"{TRIES}"),
    ]


def _winner(config: Config, store: Path, scratch: Path) -> str | None:
    """Run the demo with every timing made anew, and return who wins."""
    from components.artifacts.decision import Decision
    from pipelines.launch.launching import launch
    from pipelines.runs.cache import Cache
    from pipelines.runs.live.events import StepDone
    from pipelines.stores.opening import open_store

    launched = launch(config, store=str(store), output=scratch / "out", on_event=lambda _: None)
    cache = Cache(open_store(str(store)), scratch / "cache")
    for name, done in launched.steps.items():
        if name.startswith("benchmark-") and isinstance(done, StepDone):
            cache.forget(done.key)
    selected = launched.steps["select"]
    assert isinstance(selected, StepDone), selected
    content = cache.read_file(selected.outputs["decision"], Decision.FILE)
    (scratch / Decision.FILE).write_bytes(content)
    return Decision.read(scratch).winner


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep so many cores busy with other programs."""
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], env={**os.environ})
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
