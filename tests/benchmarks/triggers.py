"""What a tick costs that meets nothing new, however many files it watches."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.benchmarks.table import Row

_FOLDERS, _FILES = 100, 1_000
_TICKS, _PROCESSES = 9, 3


def bench_triggers(scratch: Path) -> list[Row]:
    """A watch of 100,000 files on a disk whose data was trained on."""
    from pipelines.stores.opening import open_store
    from pipelines.triggers.settings import WatchSettings
    from pipelines.triggers.ticking import Ticker
    from tests.pipelines.triggers.worlds import World

    os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")
    world = World(open_store(str(scratch / "store")), scratch)
    for number in range(_FOLDERS):
        world.upload(f"class-{number:03}", _FILES)
    world.clock.now = datetime.now(UTC) - timedelta(hours=1)
    world.trigger(watch=WatchSettings(quiet_s=60))
    for _ in range(5):  # it becomes quiet, is trained on, and is read once more
        world.tick()
        world.clock.passes(minutes=1)
    ticker = Ticker(world.store, launcher=world.runs)
    took: list[float] = []
    for _ in range(_TICKS):
        began = time.perf_counter()
        ((row,),) = [ticked.rows for ticked in ticker.tick("t")]
        took.append(time.perf_counter() - began)
        assert row.why.startswith("trained as run"), row
    ticker.close()
    whole: list[float] = []
    for _ in range(_PROCESSES):
        began = time.perf_counter()
        command = [sys.executable, "-m", "pipelines.cli", "tick", "--store", world.store.uri]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        whole.append(time.perf_counter() - began)
    files = f"{_FOLDERS * _FILES:,} files"
    return [
        Row(f"a tick with nothing new, {files}", statistics.median(took), "s", "<= 0.6"),
        Row("... as a process, `slimline tick`", statistics.median(whole), "s", ""),
    ]
