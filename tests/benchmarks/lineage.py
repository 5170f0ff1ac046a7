"""What questions cost on the index of very many runs, and what it costs to make and refresh it."""

from __future__ import annotations

import gc
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.answering import p95_ms
from tests.benchmarks.table import Row

_RUNS, _DATASETS, _IMAGES = 13_500, 100, 1_500
_ASKED = 200


def bench_lineage(scratch: Path) -> list[Row]:
    """A generated store of a million artifacts, and small stores on a disk and behind a network."""
    os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")
    return [*_questions(), *_refreshes(scratch)]


def _questions() -> list[Row]:
    from pipelines.lineage.affected import affected
    from pipelines.lineage.index.opening import open_index, rebuild
    from pipelines.lineage.naming import DigestNamed, ReleaseNamed
    from pipelines.lineage.sightings import Searched
    from pipelines.lineage.tracing.tracing import trace
    from tests.data.many_runs import ManyRuns

    store = ManyRuns(_RUNS, _DATASETS, _IMAGES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, wrote = time.process_time(), _written()
    path = rebuild(store)
    spent = time.process_time() - began - store.making_s
    wrote = _written() - wrote
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    draw = random.Random(0)
    gc.collect()
    gc.freeze()  # the generated store is no part of a question, and a collector would walk all of it
    with open_index(store, refresh=False) as index:
        (artifacts,) = index.one("SELECT count(*) FROM artifact") or (0,)

        def up() -> object:
            run = draw.randrange(_RUNS)
            release = store.artifact(run, "publish", "release")
            return trace(index, ReleaseNamed("many", store.name(run), release), ("up",))

        def down() -> object:
            dataset = store.artifact(
                draw.randrange(_DATASETS) * _RUNS // _DATASETS, "ingest", "dataset"
            )
            return trace(index, DigestNamed(dataset), ("down",))

        def image() -> object:
            everywhere = draw.random() < 0.5
            number = draw.randrange(_IMAGES // 2) + (0 if everywhere else _IMAGES // 2)
            _, sha, pixels = store.image(draw.randrange(_DATASETS), number)
            answer = affected(index, Searched(sha, (pixels,)))
            assert len(answer.releases) >= _RUNS // _DATASETS
            return answer

        def page() -> object:
            return list(
                index.execute(
                    "SELECT run.run, run.name, run.outcome, run.started, decision.winner,"
                    " (SELECT count(*) FROM run_step WHERE run_step.run = run.id) FROM run"
                    " LEFT JOIN choice ON choice.run = run.id"
                    " LEFT JOIN decision ON decision.artifact = choice.artifact"
                    " WHERE (run.started, run.run) < (?, '~') ORDER BY run.started DESC, run.run DESC"
                    " LIMIT 50",
                    (f"2026-01-02T03:04:05.{draw.randrange(50, _RUNS):06d}",),
                )
            )

        asked = [(name, p95_ms(ask, _ASKED)) for name, ask in
                 (("upstream", up), ("downstream", down), ("affected", image), ("runs page", page))]  # fmt: skip
    size = path.stat().st_size / 1e6
    return [
        Row(f"index of {artifacts:,} artifacts, made anew, processor time", spent, "s", ""),
        Row("... memory", memory, "MiB", ""),
        Row("... size", size, "MB", ""),
        Row("... bytes written, per byte of its size", wrote / (1e6 * size), "x", "<= 8"),
        *(Row(f"... {name}, p95 of {_ASKED}", value, "ms", "<= 100") for name, value in asked),
    ]


def _written() -> int:
    """Return how many bytes this process has written so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def _refreshes(scratch: Path) -> Iterator[Row]:
    with _served(20):
        for place, uri, target in (
            ("directory", str(scratch / "store"), "<= 50"),
            ("bucket, 20 ms a request", "gs://bench/store", "<= 300"),
        ):
            yield Row(
                f"index refreshed, nothing new, {place} (median of 20)", _refresh(uri), "ms", target
            )


def _refresh(uri: str) -> float:
    from pipelines.lineage.index.opening import open_index
    from pipelines.stores.opening import open_store
    from tests.data.histories import History, Picture

    store = open_store(uri)
    history = History(store)
    for seed in range(30):
        history.run([Picture(f"p/{n}.png", "p", n) for n in range(20)], seed=seed)
    open_index(store).close()
    times: list[float] = []
    for _ in range(20):
        began = time.perf_counter()
        open_index(store).close()
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


@contextmanager
def _served(latency_ms: int) -> Iterator[None]:
    command = [
        sys.executable, "-m", "tests.servers.gcs.server", "--bucket=bench",
        f"--latency-ms={latency_ms}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            os.environ["STORAGE_EMULATOR_HOST"] = server.stdout.readline().strip()
            yield
        finally:
            del os.environ["STORAGE_EMULATOR_HOST"]
            server.terminate()
            assert server.stdout
            server.stdout.read()
